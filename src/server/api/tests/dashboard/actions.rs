//! What each action does, and what the page after it tells.

use clawpool_core::{config::Config, task::TaskId};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, furnished, markup::assert_ours};
use crate::api::tests::pool::Pool;

async fn state(pool: &Pool, id: &str) -> Value {
    pool.call(Method::GET, &format!("/v1/tasks/{id}")).await.1["state"].clone()
}

fn id(page: &str) -> String {
    let at = page.find("id-whole\">").unwrap();
    page[at + 10..at + 46].to_owned()
}

#[tokio::test]
async fn a_task_is_started_cancelled_and_run_again() {
    let pool = Pool::start(Config::default()).await;
    let mut browser = Browser::new(&pool);
    let later =
        pool.enqueue(&json!({"kind": "a.b", "payload": {"x": 1.50}, "delay": "1h"})).await.to_string();
    browser.get(&format!("/tasks/{later}")).await.says(200, "Start now");
    let told = browser.act(&format!("/tasks/{later}/run"), &[]).await;
    told.says(200, &format!("clawpool tasks run {later}"));
    let told = browser.act(&format!("/tasks/{later}/cancel"), &[]).await;
    told.says(200, &format!("clawpool tasks cancel {later}"));
    assert_eq!(state(&pool, &later).await, "cancelled");
    let once_more = browser.get(&format!("/tasks/{later}")).await;
    assert!(!once_more.text.contains("class=\"told"), "what was told is told once");
    browser.post(&format!("/tasks/{later}/cancel"), &[]).await.says(409, "cancelled already");

    let done = pool.enqueue(&json!({"kind": "a.b", "payload": {"x": 1.50}})).await;
    pool.complete(done, "sent").await;
    browser.get(&format!("/tasks/{done}")).await.says(200, "sent");
    pool.stop().await;
}

#[tokio::test]
async fn a_task_that_runs_again_waits_where_the_first_one_did() {
    let pool = Pool::start(Config::default()).await;
    let first = json!({"kind": "a.b", "payload": {"x": 1.50}, "priority": "P1"});
    let first = pool.enqueue(&first).await.to_string();
    let mut browser = Browser::new(&pool);
    browser.act(&format!("/tasks/{first}/cancel"), &[]).await.says(200, "Cancelled");
    let told = browser.act(&format!("/tasks/{first}/again"), &[("payload", "{\"x\": 2}")]).await;
    told.says(200, "--queue critical.p1");
    let (_, queued) = pool.call(Method::GET, "/v1/tasks?state=queued").await;
    assert_eq!(queued["items"][0]["queue"], "critical.p1", "{queued}");
    pool.stop().await;
}

#[tokio::test]
async fn a_dead_letter_is_requeued_as_it_was_or_with_another_payload() {
    let pool = Pool::start(Config::default()).await;
    let (_, dead) = furnished(&pool).await;
    let mut browser = Browser::new(&pool);
    let page = browser.get(&format!("/tasks/{dead}")).await;
    page.says(200, "Replay with an edited payload");
    assert!(page.text.contains("as often as it may"), "what to do: {}", page.text);
    let path = format!("/tasks/{dead}/requeue");
    browser.post(&path, &[("payload", "{not json")]).await.says(400, "not JSON");
    assert_eq!(state(&pool, &dead).await, "dead");
    let told = browser.act(&path, &[("payload", "{\"to\": \"it's\"}")]).await;
    told.says(200, "It runs again");
    assert!(told.text.contains("it&#39;\\&#39;&#39;s"), "the command is one for a shell: {}", told.text);
    assert_ne!(state(&pool, &dead).await, "dead");
    let (_, task) = pool.call(Method::GET, &format!("/v1/tasks/{dead}")).await;
    assert_eq!(task["payload"], json!({"to": "it's"}));
    pool.stop().await;
}

#[tokio::test]
async fn a_group_of_dead_letters_is_asked_for_and_then_requeued_or_discarded() {
    let pool = Pool::start(Config::default()).await;
    let mut ids = Vec::new();
    for index in 0..3 {
        let task = json!({"kind": "a", "payload": index});
        ids.push(pool.kill(&task, &format!("no answer within {}00 ms", index + 1)).await.to_string());
    }
    pool.kill(&json!({"kind": "b"}), "something else").await;
    let mut browser = Browser::new(&pool);
    let page = browser.get("/dead").await;
    page.says(200, "no answer within # ms");
    assert_eq!(page.text.matches("class=\"card group\"").count(), 2, "{}", page.text);
    assert_ours("dead", &page.text);
    let two: Vec<(&str, &str)> = ids[..2].iter().map(|id| ("ids", id.as_str())).collect();
    let asked = browser.post("/dead/discard", &two).await;
    asked.says(200, "Discard 2 dead letters?");
    assert!(asked.text.contains("cannot be undone"), "{}", asked.text);
    assert_eq!(state(&pool, &ids[0]).await, "dead", "nothing was done yet");
    let confirmed = [&two[..], &[("confirm", "yes")]].concat();
    browser.act("/dead/discard", &confirmed).await.says(200, "2 discarded");
    browser.post("/dead/requeue", &[("kind", "a")]).await.says(200, "Requeue 1 dead letters?");
    let told = browser.act("/dead/requeue", &[("kind", "a"), ("confirm", "yes")]).await;
    told.says(200, "clawpool dead requeue --kind a");
    assert_ne!(state(&pool, &ids[2]).await, "dead");
    pool.stop().await;
}

#[tokio::test]
async fn tasks_are_changed_by_choice_and_by_filter_after_a_dry_run() {
    let pool = Pool::start(Config::default()).await;
    let mut ids: Vec<TaskId> = Vec::new();
    for index in 0..6 {
        ids.push(pool.enqueue(&json!({"kind": format!("k.{}", index % 2), "delay": "1h"})).await);
    }
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let mut browser = Browser::new(&pool);
    let none = browser.act("/tasks/bulk", &[("do", "cancel-chosen")]).await;
    none.says(200, "No task was chosen");
    let form = [("do", "cancel-chosen"), ("ids", &ids[0]), ("ids", &ids[1]), ("state", "scheduled")];
    let told = browser.act("/tasks/bulk", &form).await;
    told.says(200, "2 cancelled");
    let asked = browser.post("/tasks/bulk", &[("do", "cancel"), ("kind", "k.1"), ("since", "1h")]).await;
    asked.says(200, "Cancel 2 tasks?");
    assert!(asked.text.contains("clawpool tasks cancel --kind k.1 --since 1h --yes"), "{}", asked.text);
    assert_ours("confirm", &asked.text);
    assert_eq!(state(&pool, &ids[3]).await, "scheduled", "a dry run changes nothing");
    let form = [("do", "cancel"), ("kind", "k.1"), ("since", "1h"), ("confirm", "yes")];
    browser.act("/tasks/bulk", &form).await.says(200, "2 cancelled");
    assert_eq!(state(&pool, &ids[3]).await, "cancelled");
    assert_eq!(state(&pool, &ids[2]).await, "scheduled", "another kind");
    browser.post("/tasks/bulk", &[("do", "explode")]).await.says(400, "cancel or run");
    browser.post("/tasks/bulk", &[("do", "run"), ("state", "sleeping")]).await.says(400, "sleeping");
    pool.stop().await;
}

#[tokio::test]
async fn a_queue_is_paused_resumed_and_emptied() {
    let pool = Pool::start(Config::default()).await;
    let waits = pool.enqueue(&json!({"kind": "a"})).await.to_string();
    let later = pool.enqueue(&json!({"kind": "a", "delay": "1h"})).await.to_string();
    let mut browser = Browser::new(&pool);
    browser.act("/queues/normal.p4/pause", &[]).await.says(200, "clawpool queues pause normal.p4");
    browser.get("/queues/normal.p4").await.says(200, "Resume");
    browser.act("/queues/normal.p4/resume", &[]).await.says(200, "is handed out again");
    browser.post("/queues/normal.p4/purge", &[]).await.says(200, "Cancel 1 waiting tasks?");
    assert_eq!(state(&pool, &waits).await, "queued");
    browser.act("/queues/normal.p4/purge", &[("confirm", "yes")]).await.says(200, "1 cancelled");
    assert_eq!(state(&pool, &waits).await, "cancelled");
    assert_eq!(state(&pool, &later).await, "scheduled");
    browser.post("/queues/none/pause", &[]).await.says(404, "no queue is named");
    pool.stop().await;
}

#[tokio::test]
async fn a_worker_is_drained_and_who_did_what_is_in_the_audit_log() {
    let pool = Pool::start(Config::default()).await;
    pool.beat(0).await;
    let mut browser = Browser::new(&pool);
    let page = browser.get("/workers").await;
    page.says(200, &format!("/workers/{}/drain", pool.worker));
    browser.act(&format!("/workers/{}/drain", pool.worker), &[]).await.says(200, "clawpool workers drain");
    let (_, audit) = pool.call(Method::GET, "/v1/audit").await;
    assert_eq!(audit["items"][0]["verb"], "worker.drain", "{audit}");
    assert_eq!(audit["items"][0]["address"], "127.0.0.1", "{audit}");
    pool.stop().await;
}

#[tokio::test]
async fn a_new_task_is_led_to() {
    let pool = Pool::start(Config::default()).await;
    let mut browser = Browser::new(&pool);
    let first = pool.enqueue(&json!({"kind": "a.b", "payload": {"x": 1}, "delay": "1h"})).await.to_string();
    let page = browser.act(&format!("/tasks/{first}/again"), &[("payload", "{\"x\": 2}")]).await;
    page.says(200, "This is the new task");
    assert_ne!(id(&page.text), first);
    pool.stop().await;
}
