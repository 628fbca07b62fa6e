use reqwest::Method;
use serde_json::{Value, json};

use super::{assert_refused, pool::Pool};
use clawpool_backends::store::{Entry, Topic};
use clawpool_core::{config::Config, task::Timestamp};
use clawpool_engine::alert::{Alert, Event};

/// One alert an hour, the latest at noon.
const EVENTS: [(Event, &str); 4] = [
    (Event::Recycled, "main"),
    (Event::CannotStart, "voice"),
    (Event::OverMemory, "main"),
    (Event::Hung, "main"),
];

async fn pool() -> Pool {
    let pool = Pool::start(Config::default()).await;
    let entries = (9..).zip(EVENTS).map(|(hour, (event, name)): (u64, _)| {
        let at = Timestamp::from_millis(hour * 3_600_000);
        Entry { at, ..Alert::new(event, format!("{event:?} at {hour}")).entry(name) }
    });
    pool.store.append(None, &entries.collect::<Vec<_>>()).await.unwrap();
    pool
}

async fn events(pool: &Pool, query: &str) -> Vec<Value> {
    let (status, page) = pool.call(Method::GET, &format!("/v1/alerts{query}")).await;
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().unwrap().iter().map(|alert| alert["event"].clone()).collect()
}

#[tokio::test]
async fn alerts_say_when_where_what_and_what_to_do() {
    let pool = pool().await;
    let (_, page) = pool.call(Method::GET, "/v1/alerts?limit=1").await;
    let alert = &page["items"][0];
    assert_eq!(
        (&alert["at"], &alert["pool"]),
        (&json!("1970-01-01T12:00:00.000Z"), &json!("main")),
        "{page}"
    );
    assert_eq!((&alert["level"], &alert["code"]), (&json!("error"), &json!("CP-1608")));
    assert_eq!((&alert["text"], &alert["fix"]), (&json!("Hung at 12"), &json!(Event::Hung.fix())));
    let rest = format!("?cursor={}", page["next"].as_str().unwrap());
    assert_eq!(events(&pool, &rest).await, ["over_memory", "cannot_start", "recycled"], "latest first");
    pool.stop().await;
}

#[tokio::test]
async fn alerts_are_chosen_by_pool_time_and_level() {
    let pool = pool().await;
    assert_eq!(events(&pool, "?pool=voice").await, ["cannot_start"]);
    assert_eq!(events(&pool, "?since=1970-01-01T10:00:00Z").await, ["hung", "over_memory", "cannot_start"]);
    assert_eq!(events(&pool, "?level=warning&pool=main").await, ["hung", "over_memory"]);
    assert_eq!(events(&pool, "?level=critical").await, ["cannot_start"]);
    let (_, page) = pool.call(Method::GET, "/v1/alerts?since=1970-01-01T12:00:00Z&limit=2").await;
    assert_eq!(
        (page["items"].as_array().unwrap().len(), &page["next"]),
        (1, &Value::Null),
        "the rest is older"
    );
    pool.stop().await;
}

#[tokio::test]
async fn wrong_choices_are_named_and_foreign_entries_left_out() {
    let pool = pool().await;
    for (query, field) in
        [("level=loud", "level"), ("since=yesterday", "since"), ("limit=0", "limit"), ("by=me", "by")]
    {
        assert_refused(
            &pool.call(Method::GET, &format!("/v1/alerts?{query}")).await,
            400,
            "CP-1402",
            Some(field),
        );
    }
    let body = json!({ "event": "of_a_later_version", "text": "?" });
    let foreign = Entry { topic: Topic::Alert, at: Timestamp::now(), subject: "main".into(), body };
    pool.store.append(None, &[foreign]).await.unwrap();
    assert_eq!(events(&pool, "").await.len(), EVENTS.len());
    pool.stop().await;
}

#[tokio::test]
async fn a_time_may_be_how_long_ago() {
    let pool = pool().await;
    assert_eq!(events(&pool, "?since=1h").await, [] as [Value; 0], "they are of 1970");
    assert_eq!(events(&pool, "?since=100years").await.len(), EVENTS.len());
    assert_refused(&pool.call(Method::GET, "/v1/alerts?since=lately").await, 400, "CP-1402", Some("since"));
    pool.stop().await;
}
