//! Foreign values in place of the small facts that every process reads: one of them must not stop all.

use std::time::Duration;

use redis::cmd;

use super::{super::RedisStore, open};
use crate::{
    backend::{StoredItem, redis::link::Link},
    store::{
        ControlStore, Entry, JournalStore, NoteStore, Orders, Role, TaskStore, Topic, WorkerStore,
        conformance::beat_of,
    },
};
use clawpool_core::{
    config::Config,
    task::{ProcessId, Queue, Timestamp},
};

struct Stage {
    store: RedisStore,
    link: Link,
}

impl Stage {
    async fn new() -> Self {
        let config = open(Config::default()).await.0;
        Self {
            store: RedisStore::open(&config).await.unwrap(),
            link: Link::open(&config.redis).await.unwrap(),
        }
    }

    /// `key` without the base of all names.
    async fn write(&self, command: &str, key: &[u8], args: &[&str]) {
        let key = [self.link.base().as_bytes(), key].concat();
        let _: redis::Value = self.link.send(cmd(command).arg(key).arg(args)).await.unwrap();
    }

    async fn told(&self) -> Vec<StoredItem> {
        let told = self.store.unreadable(&[]).await.unwrap();
        self.store.unreadable(&told).await.unwrap();
        told.into_iter().map(|told| told.what).collect()
    }
}

const LEASE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn heartbeats_go_on_beside_strange_orders_pauses_and_hashes() {
    let stage = Stage::new().await;
    let worker = ProcessId::new();
    let key = |kind: &str| [kind.as_bytes(), worker.as_bytes()].concat();
    stage.store.set_paused(Queue::P4, true).await.unwrap();
    stage.write("SADD", b":paused", &["banana"]).await;
    stage.write("RPUSH", &key(":o:"), &["", "c", "what is this?", "q1234567890123456"]).await;
    stage.write("RPUSH", &key(":ask:"), &["", "what is this?", "123456789012345678901234"]).await;
    let paused = Orders { paused: vec![Queue::P4], ..Orders::default() };
    let beat = beat_of(worker, LEASE);
    assert_eq!(stage.store.beat(&beat).await.unwrap(), paused);
    assert_eq!(stage.store.paused().await.unwrap(), [Queue::P4]);
    stage.write("HSET", &key(":w:"), &["n", "many", "y", "-5"]).await;
    stage.store.beat(&beat).await.unwrap();
    assert_eq!(stage.store.workers().await.unwrap()[0].beats, 1, "counted anew");
    for kind in [":w:", ":o:", ":ask:"] {
        stage.write("SET", &key(kind), &["what is this?"]).await;
        stage.store.beat(&beat).await.unwrap();
    }
    assert_eq!(stage.told().await, [StoredItem::Heartbeat]);
    stage.write("SET", &key(":w:"), &["what is this?"]).await;
    assert!(stage.store.workers().await.unwrap().is_empty());
    stage.store.beat(&beat).await.unwrap();
    stage.write("DEL", &key(":w:"), &[]).await;
    assert!(stage.store.workers().await.unwrap().is_empty(), "nothing is left of it");
    stage.write("HSET", b":l:steward", &["h", "nobody", "n", "many", "u", "soon"]).await;
    assert!(stage.store.lead(Role::Maintenance, worker, LEASE).await.unwrap().is_some());
}

#[tokio::test]
async fn journal_and_notes_go_on_beside_values_of_another_type() {
    let stage = Stage::new().await;
    let entry =
        Entry { topic: Topic::Alert, at: Timestamp::now(), subject: "voice".into(), body: "news".into() };
    stage.write("SET", b":j:alert", &["what is this?"]).await;
    assert!(stage.store.journal(Topic::Alert, None, None, 10).await.unwrap().items.is_empty());
    stage.write("SET", b":j:alert", &["what is this?"]).await;
    stage.store.append(None, std::slice::from_ref(&entry)).await.unwrap();
    assert_eq!(stage.store.journal(Topic::Alert, None, None, 10).await.unwrap().items, [entry]);
    assert_eq!(stage.told().await, [StoredItem::Journal; 2]);
    for name in ["scale/a", "scale/b", "scale/c"] {
        stage.store.put_note(None, name, "1".into(), None).await.unwrap();
    }
    stage.write("DEL", b":note:scale/a", &[]).await;
    stage.write("LPUSH", b":note:scale/a", &["what is this?"]).await;
    assert_eq!(stage.store.notes("scale/").await.unwrap().len(), 2);
    stage.write("DEL", b":note:scale/b", &[]).await;
    stage.write("LPUSH", b":note:scale/b", &["what is this?"]).await;
    assert_eq!(stage.store.note("scale/b").await.unwrap(), None);
    assert_eq!(stage.told().await, [StoredItem::Note; 2]);
    stage.store.put_note(None, "scale/b", "2".into(), None).await.unwrap();
    assert_eq!(stage.store.notes("scale/").await.unwrap().len(), 2);
}
