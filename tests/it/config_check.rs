//! What `clawpool config check` refuses, and what it warns of.

use crate::support::Cli;

async fn check(text: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool.toml");
    std::fs::write(&path, text).unwrap();
    let said =
        Cli::new("http://127.0.0.1:1").run(&["config", "check", "--config", path.to_str().unwrap()]).await;
    (said.code, said.err)
}

#[tokio::test]
async fn a_token_that_repeats_itself_is_refused() {
    for secret in ["a".repeat(32), "ab".repeat(16), "1111222211112222".into(), "changeme".repeat(3)] {
        let text = format!("[[api.tokens]]\nname = \"shop\"\nsecret = {secret:?}\nscopes = [\"enqueue\"]");
        let (code, said) = check(&text).await;
        assert!(code == Some(78) && said.contains("api.tokens[0].secret"), "{secret}: {code:?} {said}");
        assert!(!said.contains(&secret), "{said}");
    }
    let text = "[[api.tokens]]\nname = \"shop\"\nsecret = \"6b1f0c9ad27e4835\"\nscopes = [\"enqueue\"]";
    assert_eq!(check(text).await.0, Some(0));
}

#[tokio::test]
async fn servers_on_other_machines_without_encryption_are_warned_of() {
    let cluster = |redis: &str, rabbitmq: &str| {
        format!("profile = \"cluster\"\nredis.url = {redis:?}\nrabbitmq.url = {rabbitmq:?}")
    };
    let (code, said) =
        check(&cluster("redis://:x9Vb2kQe@10.0.0.5:6379/0", "amqp://pool:x9Vb2kQe@mq.example.com/pool"))
            .await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("redis.url") && said.contains("rabbitmq.url") && said.contains("unencrypted"),
        "{said}"
    );
    assert!(!said.contains("x9Vb2kQe"), "{said}");
    for (redis, rabbitmq) in [
        ("redis://127.0.0.1:6379/0", "amqp://guest:guest@localhost:5672/%2f"),
        ("redis://[::1]:6379/0", "amqp://guest:guest@127.0.0.1:5672/%2f"),
        ("rediss://:x9Vb2kQe@10.0.0.5:6379/0", "amqp://guest:guest@127.0.0.1:5672/%2f"),
    ] {
        let (code, said) = check(&cluster(redis, rabbitmq)).await;
        assert!(code == Some(0) && !said.contains("unencrypted"), "{redis} {rabbitmq}: {said}");
    }
}
