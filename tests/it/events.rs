//! The stream of events, over dispatchers that die and links that break.

use std::collections::BTreeSet;

use clawpool_engine::client::{Client, Events, Following, event::EventTopic};
use serde_json::{Value, json};

use crate::support::{Process, Proxy, Servers, Settings, System, clawpool, until};

fn following(after: Option<String>) -> Following {
    Following { topics: vec![EventTopic::Audit], after, ..Following::default() }
}

/// The subject of the next change that is told.
async fn subject(events: &mut Events<'_>) -> String {
    loop {
        let event = events.next(|_| {}).await.unwrap().unwrap();
        assert_ne!(event.name, "gap");
        if event.name == "audit" {
            return event.data["item"]["subject"].as_str().unwrap().to_owned();
        }
    }
}

async fn inv_told_once(settings: Settings) {
    let mut system = System::apart(0, settings).await;
    let (mut second, other) = system.second_dispatcher().await;
    let pause = async |number: usize| {
        let queue = ["background", "high.p2", "high.p3", "normal.p4"][number % 4];
        let (status, body) = other.post(&format!("v1/queues/{queue}/pause"), &json!({})).await;
        assert_eq!(status, 200, "{body}");
    };
    let client = Client::new(&system.api.url, None).unwrap();
    let mut events = client.events(following(None)).await.unwrap();
    let mut told = Vec::new();
    for number in 0..5 {
        pause(number).await;
        told.push(subject(&mut events).await);
    }
    let last = events.last().unwrap().to_owned();
    pause(5).await;
    system.front.kill().await;
    pause(6).await;
    let client = Client::new(&other.url, None).unwrap();
    let mut events = client.events(following(Some(last))).await.unwrap();
    pause(7).await;
    while told.len() < 8 {
        told.push(subject(&mut events).await);
    }
    let audit: Value = other.get("v1/audit").await;
    let listed: Vec<&str> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|item| item["subject"].as_str().unwrap())
        .collect();
    assert_eq!(told, listed, "each once, in order");
    second.stop().await;
}

#[tokio::test]
async fn each_event_is_told_once_when_a_dispatcher_dies_cluster() {
    inv_told_once(Servers::shared().settings()).await;
}

#[tokio::test]
async fn each_event_is_told_once_when_a_dispatcher_dies_embedded() {
    let folder = tempfile::tempdir().unwrap();
    let data = toml::Value::from(folder.path().display().to_string());
    inv_told_once(Settings::quick().with(&format!("embedded.data = {data}"))).await;
}

/// `clawpool events` over a link that is cut.
#[tokio::test]
async fn the_command_comes_back_and_misses_nothing() {
    let system = System::embedded(0, Settings::quick()).await;
    let (proxy, url) = Proxy::before(&system.api.url).await;
    let mut command = clawpool(&system.config);
    command.args(["events", "--topics", "audit", "--json", "--url", &url]);
    let mut events = Process::start("events", command);
    events.line(&["\"type\":\"open\""]).await;
    let cli = system.cli();
    cli.ok(&["queues", "pause", "background"]).await;
    events.line(&["queue.pause", "\"id\":\""]).await;
    proxy.swallow(true);
    events.line(&["waiting: "]).await;
    cli.ok(&["queues", "resume", "background"]).await;
    proxy.swallow(false);
    events.line(&["queue.resume"]).await;
    let refused = cli.run(&["events", "--topics", "weather"]).await;
    assert!(refused.code == Some(2) && refused.err.contains("is no topic"), "{refused:?}");
    let id = system.api.enqueue(json!({"kind": "it.nobody", "payload": {}})).await.to_string();
    cli.ok(&["tasks", "cancel", &id]).await;
    let told = cli.ok(&["events", "--task", &id]).await;
    assert!(told.contains("cancelled") && told.contains("task_ended"), "{told}");
    events.kill().await;
    system.stop().await;
}

/// The store hears of streams while there is one, and not before or after.
#[tokio::test]
async fn nothing_is_read_while_nobody_listens() {
    let servers = Servers::shared();
    let (redis, url) = Proxy::before(&servers.redis).await;
    let settings = Servers { redis: url, ..servers }.settings();
    let system = System::apart(0, settings).await;
    let heard = async || -> BTreeSet<String> {
        redis.take();
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        redis.take().iter().flat_map(|said| scripts(said)).collect()
    };
    let before = heard().await;
    let client = Client::new(&system.api.url, None).unwrap();
    let mut events = client.events(following(None)).await.unwrap();
    events.next(|_| {}).await.unwrap();
    let own: BTreeSet<String> = heard().await.difference(&before).cloned().collect();
    assert_eq!(own.len(), 1, "one script a look: {own:?}");
    drop(events);
    until("no more looks", async || heard().await.is_disjoint(&own).then_some(())).await;
    system.stop().await;
}

/// The scripts that were run, by their hashes.
fn scripts(said: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(said);
    let words: Vec<&str> = text.lines().collect();
    let runs = words.iter().enumerate().filter(|(_, word)| **word == "EVALSHA");
    runs.filter_map(|(at, _)| words.get(at + 2)).map(|hash| (*hash).to_owned()).collect()
}
