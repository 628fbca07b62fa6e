//! What a producer sends again because no answer came: the same key, the same task.

use clawpool_core::task::{NewTask, Payload, TaskId};
use clawpool_engine::client::{Client, IdempotencyKey, view::BatchLine};
use serde_json::{Value, json};

use crate::support::{Event, LossyProxy, Settings, System};

fn noted(note: &str) -> NewTask {
    NewTask::new("it.work", Payload::encode(&json!({ "note": note })).unwrap())
}

async fn count(system: &System) -> usize {
    system.api.get::<Value>("v1/tasks").await["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_command_with_a_key_adds_one_task() {
    let system = System::embedded(1, Settings::quick()).await;
    let cli = system.cli();
    let keyed = ["enqueue", "it.work", r#"{"note": "once"}"#, "--idempotency-key", "order-42"];
    let first = cli.run(&keyed).await;
    let id: TaskId = first.out.trim().parse().unwrap();
    assert!(first.code == Some(0) && first.err.contains("is queued"), "{first:?}");
    let again = cli.run(&keyed).await;
    assert_eq!((again.code, &again.out), (Some(0), &first.out), "{again:?}");
    assert!(again.err.contains("was there before"), "{again:?}");
    let shown = cli.json(&keyed).await;
    assert_eq!((&shown["id"], &shown["duplicate"]), (&json!(id), &json!(true)), "{shown}");
    let waited = cli.json(&[&keyed[..], &["--wait", "30s"]].concat()).await;
    assert_eq!((&waited["id"], &waited["result"]["note"]), (&json!(id), &json!("once")), "{waited}");
    assert_eq!((system.ledger.times(id, Event::Start), count(&system).await), (1, 1));
    let other = cli.run(&["enqueue", "it.work", "{}", "--idempotency-key", "order-42"]).await;
    assert!(other.code == Some(1) && other.err.contains("CP-1420"), "{other:?}");
    system.stop().await;
}

#[tokio::test]
async fn a_client_that_got_no_answer_asks_again() {
    let system = System::embedded(1, Settings::quick()).await;
    let proxy = LossyProxy::before(&system.api.url).await;
    let client = Client::new(&proxy.url, None).unwrap();
    let (key, once) = (IdempotencyKey::unique(), noted("once"));
    proxy.lose(br#""duplicate":false"#);
    let recovering = async {
        proxy.lost().await;
        proxy.recover();
    };
    let (lost, ()) = tokio::join!(client.enqueue(&once, Some(&key)), recovering);
    assert!(lost.unwrap_err().is_retryable());
    let again = client.enqueue(&once, Some(&key)).await.unwrap();
    assert!(again.duplicate, "{again:?}");
    system.ledger.happened(again.id, Event::Done, 1).await;
    let other = client.enqueue(&noted("twice"), Some(&key)).await.unwrap_err();
    assert!(other.is_conflict(), "{other}");

    let key = IdempotencyKey::unique();
    let tasks = [noted("one"), noted("two")];
    let mut ids = Vec::new();
    for repeated in [false, true] {
        for line in client.enqueue_all(&tasks, Some(&key)).await.unwrap() {
            let BatchLine::Accepted(accepted) = line else { panic!("{line:?}") };
            assert_eq!(accepted.duplicate, repeated, "{accepted:?}");
            ids.push(accepted.id);
        }
    }
    assert_eq!(ids[..2], ids[2..]);
    assert!(!client.enqueue(&noted("one"), None).await.unwrap().duplicate, "without a key it is another one");
    assert_eq!(count(&system).await, 4);
    system.stop().await;
}
