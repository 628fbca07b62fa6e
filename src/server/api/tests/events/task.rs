use reqwest::Method;
use serde_json::json;

use super::Listener;
use crate::api::tests::pool::Pool;
use clawpool_backends::store::{End, Settlement};
use clawpool_core::config::Config;

#[tokio::test]
async fn a_task_is_followed_until_it_has_ended() {
    let pool = Pool::start(Config::default()).await;
    let id = pool.enqueue(&json!({"kind": "a"})).await;
    let query = format!("task={id}");
    let [mut one, mut other] = [Listener::open(&pool, &query).await, Listener::open(&pool, &query).await];
    for listener in [&mut one, &mut other] {
        assert_eq!(listener.next().await.unwrap().data["item"]["state"], "queued");
    }
    pool.beat(0).await;
    let claimed = pool.run(id).await;
    for listener in [&mut one, &mut other] {
        assert_eq!(listener.next().await.unwrap().data["item"]["state"], "running");
    }
    let settlement = Settlement::uncounted(claimed, End::Cancelled);
    pool.store.settle(pool.worker, &[settlement]).await.unwrap();
    for listener in [&mut one, &mut other] {
        assert_eq!(listener.next().await.unwrap().data["item"]["state"], "cancelled");
        let end = listener.next().await.unwrap();
        assert_eq!((&*end.name, &end.data["reason"]), ("end", &json!("task_ended")));
        assert!(listener.next().await.is_none());
        // As a browser asks again, which is told to leave it at that.
        let request = pool.request(Method::GET, &format!("/v1/events?{query}"));
        let again = request.header("last-event-id", end.id.unwrap()).send().await.unwrap();
        assert_eq!(again.status(), 204);
    }
    let mut late = Listener::open(&pool, &query).await;
    assert_eq!(late.next().await.unwrap().data["item"]["state"], "cancelled");
    assert_eq!(late.next().await.unwrap().name, "end");
    pool.stop().await;
}
