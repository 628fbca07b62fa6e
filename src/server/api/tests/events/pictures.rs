use reqwest::Method;
use serde_json::{Value, json};

use super::Listener;
use crate::api::tests::pool::Pool;
use clawpool_core::config::Config;

fn names<'a>(data: &'a Value, field: &str) -> Vec<&'a str> {
    let items = data["items"].as_array().unwrap();
    items.iter().map(|item| item[field].as_str().unwrap()).collect()
}

#[tokio::test]
async fn all_queues_come_first_and_then_the_one_that_changed() {
    let pool = Pool::start(Config::default()).await;
    let mut listener = Listener::open(&pool, "topics=queues").await;
    let first = listener.next().await.unwrap();
    assert!(first.name == "queues" && first.id.is_none() && first.data["whole"] == true, "{first:?}");
    assert_eq!(first.data["items"].as_array().unwrap().len(), 7);
    pool.call(Method::POST, "/v1/queues/high.p2/pause").await;
    let change = listener.next().await.unwrap();
    assert_eq!((names(&change.data, "queue"), &change.data["whole"]), (vec!["high.p2"], &json!(false)));
    assert_eq!(change.data["items"][0]["paused"], true);
    // Who comes later hears all of it as it is now.
    let mut late = Listener::open(&pool, "topics=queues").await;
    let whole = late.next().await.unwrap();
    let paused: Vec<&Value> =
        whole.data["items"].as_array().unwrap().iter().filter(|item| item["paused"] == true).collect();
    assert!(paused.len() == 1 && whole.data["whole"] == true, "{whole:?}");
    let new = json!({"name": "own", "priority": "P4"}).to_string();
    assert_eq!(pool.post_json("/v1/queues", new).await.0, 201);
    for listener in [&mut listener, &mut late] {
        let added = listener.next().await.unwrap();
        assert_eq!(names(&added.data, "queue"), ["own"]);
    }
    pool.call(Method::DELETE, "/v1/queues/own").await;
    assert_eq!(late.next().await.unwrap().data["gone"], json!(["own"]));
    drop((listener, late));
    pool.stop().await;
}

#[tokio::test]
async fn a_heartbeat_is_no_news_of_a_worker_and_its_work_is() {
    let pool = Pool::start(Config::default()).await;
    let beat = pool.beat_of(0);
    pool.store.beat(&beat).await.unwrap();
    let mut listener = Listener::open(&pool, "topics=workers,restarts,health,pools").await;
    let first = listener.named("workers").await;
    assert_eq!(names(&first.data, "worker"), [pool.worker.to_string()]);
    pool.store.beat(&beat).await.unwrap();
    pool.store.append(None, &[super::restart(1)]).await.unwrap();
    // Two looks later nothing has been said of it.
    let mut between = Vec::new();
    loop {
        let heard = listener.next().await.unwrap();
        if heard.name == "restart" {
            break;
        }
        between.push(heard.name);
    }
    assert!(!between.contains(&"workers".to_owned()), "{between:?}");
    pool.beat(3).await;
    let change = listener.named("workers").await;
    let running = change.data["items"][0]["running"].as_array().unwrap();
    assert!(running.contains(&json!(3)), "{change:?}");
    drop(listener);
    pool.stop().await;
}
