//! A user's rules come before the shipped ones, and replace them only when that is said.

use serde_json::json;

use crate::support::{Cli, Settings, System};

const OWN: &str = "[[rules]]\nkinds = [\"shop.pay\"]\npriority = \"P1\"\n";

async fn check(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool.toml");
    std::fs::write(&path, text).unwrap();
    Cli::new("http://127.0.0.1:1").ok(&["config", "check", "--config", path.to_str().unwrap()]).await
}

#[tokio::test]
async fn own_rules_leave_the_shipped_ones_in_place() {
    let system = System::embedded(1, Settings::quick().with(OWN)).await;
    let cli = system.cli();
    for (kind, priority, because) in
        [("shop.pay", "P1", "rules[0]"), ("voice.call", "P0", "the shipped rule for voice.*")]
    {
        let explained = cli.json(&["enqueue", kind, "--explain"]).await;
        assert_eq!(explained["priority"], priority, "{explained}");
        assert!(explained["because"].as_str().unwrap().contains(because), "{explained}");
    }
    let (_, accepted) = system.api.post("v1/tasks", &json!({"kind": "llm.answer"})).await;
    assert_eq!(accepted["priority"], "P2", "{accepted}");
    system.stop().await;
    assert!(
        check(OWN).await.contains("rules of this configuration decide first (1), then the shipped ones (7)")
    );
}

#[tokio::test]
async fn own_rules_are_the_whole_table_when_that_is_said() {
    let replaced = format!("{OWN}[classes]\nreplace_rules = true\n");
    let system = System::embedded(1, Settings::quick().with(&replaced)).await;
    let explained = system.cli().json(&["enqueue", "voice.call", "--explain"]).await;
    assert_eq!(explained["priority"], "P4", "{explained}");
    system.stop().await;
    assert!(check(&replaced).await.contains("are the whole table (classes.replace_rules)"));
}
