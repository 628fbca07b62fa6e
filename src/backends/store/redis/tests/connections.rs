//! The names of connections over which workers beat.

use crate::{
    backend::redis::testing::server::Server,
    store::{
        WorkerStore,
        conformance::{beat_of, eventually, guarded},
        redis::RedisStore,
    },
};
use clawpool_core::{config::Config, task::ProcessId};

const HOUR: std::time::Duration = std::time::Duration::from_hours(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connection_that_takes_the_place_of_another_has_its_name() {
    guarded(async {
        let server = Server::start(&[]).await;
        let config = server.config(Config::default());
        let store = RedisStore::open(&config).await.unwrap();
        let leader = RedisStore::open(&config).await.unwrap();
        let worker = ProcessId::new();
        let connected = async || {
            let answer = leader.connected(&[worker]).await;
            answer.is_ok_and(|connected| connected.unwrap() == [worker])
        };
        store.beat(&beat_of(worker, HOUR)).await.unwrap();
        assert!(connected().await);
        for _ in 0..3 {
            let _: Option<u64> = server.ask("CLIENT", &["KILL", "TYPE", "normal"]).await;
            eventually(async || leader.workers().await.is_ok()).await;
            assert!(!connected().await, "it has not beaten over the new one");
            eventually(async || store.beat(&beat_of(worker, HOUR)).await.is_ok()).await;
            assert!(connected().await);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_connections_may_not_be_named_or_listed_nothing_is_seen_and_beats_arrive() {
    guarded(async {
        let server = Server::start(&[]).await;
        let config = server.config(Config::default());
        let worker = ProcessId::new();
        let rights = async |rights: &str| {
            let _: Option<redis::Value> = server.ask("ACL", &["SETUSER", "default", rights]).await;
        };
        let store = RedisStore::open(&config).await.unwrap();
        rights("-client|list").await;
        store.beat(&beat_of(worker, HOUR)).await.unwrap();
        assert_eq!(store.connected(&[worker]).await.unwrap(), None);
        rights("+client|list").await;
        assert_eq!(store.connected(&[worker]).await.unwrap(), Some(vec![worker]));
        rights("-client|setname").await;
        let nameless = RedisStore::open(&config).await.unwrap();
        let other = ProcessId::new();
        nameless.beat(&beat_of(other, HOUR)).await.unwrap();
        assert_eq!(store.connected(&[worker, other]).await.unwrap(), Some(vec![worker]));
        rights("-client").await;
        nameless.beat(&beat_of(other, HOUR)).await.unwrap();
        assert_eq!(store.connected(&[other]).await.unwrap(), None);
    })
    .await;
}
