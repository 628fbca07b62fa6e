//! Who may do what, with the commands and the processes that operators have.

use serde_json::{Value, json};

use crate::support::{Cli, Settings, System, until};

const ROOT: &str = "the-token-of-the-first-operator";

/// Two dispatchers' worth of settings on one file, which ask for a token.
fn guarded() -> Settings {
    let folder = tempfile::tempdir().unwrap().keep();
    let data = toml::Value::from(folder.display().to_string());
    Settings::quick().with(&format!(
        "embedded.data = {data}\n[[api.tokens]]\nname = \"root\"\nsecret = \"{ROOT}\"\nscopes = [\"read\", \
         \"admin\"]"
    ))
}

fn items(view: &Value) -> &Vec<Value> {
    view["items"].as_array().unwrap_or_else(|| panic!("{view}"))
}

#[tokio::test]
async fn a_token_is_made_used_and_revoked_by_commands_on_every_dispatcher() {
    let system = System::apart(0, guarded()).await;
    let (mut second, api) = system.second_dispatcher().await;
    let [cli, other] = [system.cli(), Cli::new(&api.url)];
    let as_root = |args: &[&'static str]| [args, &["--token", ROOT]].concat();

    let said = cli.run(&as_root(&["tokens", "add", "shop", "--scope", "enqueue", "--expires", "90d"])).await;
    assert!(said.code == Some(0) && said.err.contains("not shown again"), "{said:?}");
    let token = said.out.trim();
    assert!(token.starts_with("clawpool_") && !token.contains(char::is_whitespace), "{said:?}");
    let enqueue = ["enqueue", "it.work", "{}", "--token", token];
    assert!(!cli.ok(&enqueue).await.is_empty());
    until("the other dispatcher", async || (other.run(&enqueue).await.code == Some(0)).then_some(())).await;
    let refused = cli.run(&["queues", "pause", "background", "--token", token]).await;
    assert!(refused.code == Some(1) && refused.err.contains("CP-1405"), "{refused:?}");

    let listed = cli.json(&as_root(&["tokens", "list"])).await;
    let names: Vec<_> = items(&listed).iter().map(|token| token["name"].clone()).collect();
    assert_eq!((names, &listed["required"]), (vec![json!("root"), json!("shop")], &json!(true)));

    cli.ok(&as_root(&["tokens", "revoke", "shop"])).await;
    let refused = cli.run(&enqueue).await;
    assert!(refused.code == Some(1) && refused.err.contains("CP-1404"), "{refused:?}");
    let gone = async || other.run(&enqueue).await.err.contains("CP-1404").then_some(());
    until("the other dispatcher", gone).await;

    cli.ok(&as_root(&["queues", "pause", "background"])).await;
    let audit = other.json(&as_root(&["audit", "--by", "root"])).await;
    let verbs: Vec<_> = items(&audit).iter().map(|entry| entry["verb"].clone()).collect();
    assert_eq!(verbs, ["queue.pause", "token.revoke", "token.add"], "{audit}");
    assert!(!audit.to_string().contains(token), "{audit}");
    second.stop().await;
    system.stop().await;
}

#[tokio::test]
async fn a_read_only_dispatcher_is_asked_and_not_changed() {
    let system = System::apart(0, guarded().with("api.read_only = true")).await;
    let cli = system.cli();
    cli.ok(&["queues", "--token", ROOT]).await;
    for command in [&["queues", "pause", "background"][..], &["tokens", "add", "shop", "--scope", "read"]] {
        let refused = cli.run(&[command, &["--token", ROOT]].concat()).await;
        assert!(refused.code == Some(1) && refused.err.contains("CP-1414"), "{refused:?}");
    }
    system.stop().await;
}

const TLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/api/tests/tls");

fn over_tls(key: &str) -> Settings {
    let settings = format!("api.tls = {{ certificate = \"{TLS}/one.pem\", key = \"{TLS}/{key}\" }}");
    guarded().with(&settings.replace('\\', "/"))
}

#[tokio::test]
async fn commands_ask_over_tls_whom_they_are_told_to_trust() {
    let system = System::apart(0, over_tls("one.key")).await;
    let cli = Cli::new(&system.api.url.replace("http://", "https://"));
    let authority = format!("{TLS}/ca.pem");
    cli.ok(&["queues", "--token", ROOT, "--ca", &authority]).await;
    assert_eq!(cli.json(&["health", "--ca", &authority]).await["status"], "healthy");
    let refused = cli.run(&["health"]).await;
    assert!(refused.code == Some(69) && refused.err.contains("certificate"), "{refused:?}");
    for (authority, said) in [(format!("{TLS}/one.key"), "no certificate"), (format!("{TLS}/no"), "--ca")] {
        let refused = cli.run(&["health", "--ca", &authority]).await;
        assert!(refused.code != Some(0) && refused.err.contains(said), "{refused:?}");
    }
    let refused = system.cli().run(&["health"]).await;
    assert_eq!(refused.code, Some(69), "plain HTTP: {refused:?}");
    system.stop().await;
}

#[tokio::test]
async fn a_key_that_does_not_go_with_its_certificate_is_a_configuration_error() {
    let folder = tempfile::tempdir().unwrap();
    let config = over_tls("two.key").write(folder.path());
    let said = Cli::new("").run(&["dispatcher", "--config", config.to_str().unwrap()]).await;
    assert!(said.code == Some(78) && said.err.contains("CP-1015 api.tls.key"), "{said:?}");
}
