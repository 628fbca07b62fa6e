//! redis-server dies and comes back.

use std::{sync::Arc, time::Duration};

use super::own::{admission, claim, completed, settle};
use crate::{
    backend::redis::testing::server::Server,
    store::{
        Role, ScheduleStore, Scheduled, StoreError, TaskStore, WorkerStore,
        conformance::{eventually, guarded},
        redis::RedisStore,
    },
};
use clawpool_core::{
    config::Config,
    task::{ProcessId, State, TaskId, Timestamp},
};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_1_what_was_answered_survives_a_killed_server() {
    guarded(async {
        let mut server = Server::start(&[]).await;
        let store = RedisStore::open(&server.config(Config::default())).await.unwrap();
        let worker = ProcessId::new();
        let done = admission("a");
        let running = admission("b");
        let waiting = admission("c");
        store.admit(&[done.clone(), running.clone(), waiting.clone()]).await.unwrap();
        let claimed = claim(&store, worker, &done).await;
        settle(&store, worker, claimed, completed(HOUR)).await;
        let claimed = claim(&store, worker, &running).await;
        server.kill();
        let error = store.record(done.message.id).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }) && error.is_retryable(), "{error}");
        server.start_again().await;
        // The first call is right again, with its script unknown to the new process.
        settle(&store, worker, claimed, completed(HOUR)).await;
        let expected = [(done, State::Completed), (running, State::Completed), (waiting, State::Queued)];
        for (task, state) in expected {
            assert_eq!(store.record(task.message.id).await.unwrap().unwrap().state, state);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_go_on_after_a_killed_server() {
    guarded(async {
        let mut server = Server::start(&[]).await;
        let config = server.config(Config::default());
        let store = Arc::new(RedisStore::open(&config).await.unwrap());
        let task = admission("a");
        store.admit(std::slice::from_ref(&task)).await.unwrap();
        let waiter = store.clone();
        let id = task.message.id;
        let end = tokio::spawn(async move { waiter.wait(id, HOUR).await.unwrap().unwrap().state });
        let waiter = store.clone();
        // As its caller does: an error is a passing one.
        let due = tokio::spawn(async move { while waiter.wait_due(None).await.is_err() {} });
        watched(&server, &config, id).await;
        // The connection keeps its order: with this answer, the one that the waiter looked for is here as
        // well.
        store.record(id).await.unwrap();
        server.kill();
        server.start_again().await;
        let entry = Scheduled { message: admission("b").message, at: Timestamp::now() };
        store.schedule(&[entry]).await.unwrap();
        due.await.unwrap();
        let worker = ProcessId::new();
        let claimed = claim(&store, worker, &task).await;
        settle(&store, worker, claimed, completed(HOUR)).await;
        assert_eq!(end.await.unwrap(), State::Completed);
    })
    .await;
}

/// Until the record says that a caller waits for its end.
pub(super) async fn watched(server: &Server, config: &Config, id: TaskId) {
    let script = "return string.byte(redis.call('GETRANGE', KEYS[1] .. string.gsub(ARGV[1], '..', \
                  function(h) return string.char(tonumber(h, 16)) end), 2, 2))";
    let key = format!("{{{}}}:t:", config.redis.prefix);
    let id: String = id.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    eventually(async || server.ask::<bool>("EVAL", &[script, "1", &key, &id]).await == Some(true)).await;
}

/// Signs of life apart, a waiter for due tasks looks once in a few seconds, and one for an end never.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_costs_next_to_nothing() {
    guarded(async {
        let server = Server::start(&[]).await;
        let config = server.config(Config::default());
        let store = Arc::new(RedisStore::open(&config).await.unwrap());
        let task = admission("a");
        store.admit(std::slice::from_ref(&task)).await.unwrap();
        let waiter = store.clone();
        let id = task.message.id;
        let end = tokio::spawn(async move { waiter.wait(id, HOUR).await.unwrap() });
        let waiter = store.clone();
        let due = tokio::spawn(async move { while waiter.wait_due(None).await.is_ok() {} });
        watched(&server, &config, id).await;
        // The first look may be one too early for the subscription, and is then repeated.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let asked = async || server.commands().await.remove("evalsha").unwrap_or_default();
        let before = asked().await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(asked().await <= before + 1);
        end.abort();
        due.abort();
    })
    .await;
}

#[tokio::test]
async fn leadership_survives_a_killed_server() {
    use crate::store::ControlStore;
    let mut server = Server::start(&[]).await;
    let store = RedisStore::open(&server.config(Config::default())).await.unwrap();
    let who = ProcessId::new();
    let fence = store.lead(Role::Maintenance, who, HOUR).await.unwrap().unwrap();
    server.kill();
    server.start_again().await;
    assert_eq!(store.lead(Role::Maintenance, who, HOUR).await.unwrap(), Some(fence));
    assert!(store.workers().await.unwrap().is_empty());
}
