//! Links that die without a word, servers that do not answer, and a failover behind one address.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    outage::watched,
    own::{admission, claim, completed, settle},
};
use crate::{
    backend::redis::testing::{proxy::Proxy, server::Server},
    store::{
        Admitted, ScheduleStore, Scheduled, TaskStore,
        conformance::{Log, eventually, guarded},
        redis::RedisStore,
    },
};
use clawpool_core::{
    config::Config,
    task::{ProcessId, State, Timestamp},
};

const HOUR: Duration = Duration::from_secs(3600);

/// A store behind a proxy, and one that is not.
struct Pair {
    server: Server,
    proxy: Proxy,
    store: Arc<RedisStore>,
    other: RedisStore,
    config: Config,
}

async fn pair() -> Pair {
    let server = Server::start(&[]).await;
    let proxy = Proxy::before(&server).await;
    let mut config = server.config(Config::default());
    let other = RedisStore::open(&config).await.unwrap();
    config.redis.timeout = Duration::from_secs(1);
    let store = Arc::new(RedisStore::open(&proxy.config(config.clone())).await.unwrap());
    Pair { server, proxy, store, other, config }
}

fn due_now() -> Scheduled {
    Scheduled { message: admission("due").message, at: Timestamp::now() }
}

/// As the promoter does it.
async fn until_due(store: Arc<RedisStore>) {
    while store.wait_due(None).await.is_err()
        || store.scheduled(None, 1).await.is_ok_and(|page| page.items.is_empty())
    {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn due_tasks_are_seen_after_new_links_went_nowhere() {
    guarded(async {
        let Pair { proxy, store, other, server, .. } = pair().await;
        let waiting = tokio::spawn(until_due(store.clone()));
        subscribed(&server).await;
        looked(&server).await;
        // The link keeps its order: with this answer, the one that the waiter looked for is here as well.
        store.record(admission("any").message.id).await.unwrap();
        // The link, and the subscription again and again.
        proxy.swallow(3).await;
        proxy.clear();
        other.schedule(&[due_now()]).await.unwrap();
        waiting.await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_come_through_though_the_subscription_died_in_silence() {
    guarded(async {
        let Pair { proxy, store, other, server, config } = pair().await;
        let task = admission("end");
        let worker = ProcessId::new();
        other.admit(std::slice::from_ref(&task)).await.unwrap();
        let waiter = store.clone();
        let id = task.message.id;
        let end = tokio::spawn(async move { waiter.wait(id, HOUR).await.unwrap().unwrap().state });
        let due = tokio::spawn(until_due(store.clone()));
        subscribed(&server).await;
        watched(&server, &config, id).await;
        // The link keeps its order: with this answer, the one that the waiter looked for is here as well.
        store.record(id).await.unwrap();
        proxy.silence();
        let claimed = claim(&other, worker, &task).await;
        settle(&other, worker, claimed, completed(HOUR)).await;
        other.schedule(&[due_now()]).await.unwrap();
        assert_eq!(end.await.unwrap(), State::Completed);
        due.await.unwrap();
    })
    .await;
}

/// Until a client listens to the news.
async fn subscribed(server: &Server) {
    let listed = async || server.ask::<Vec<String>>("PUBSUB", &["CHANNELS", "*"]).await;
    eventually(async || listed().await.is_some_and(|channels| !channels.is_empty())).await;
}

/// Until a client has looked for due tasks: the only script so far, sent in full.
async fn looked(server: &Server) {
    eventually(async || server.commands().await.contains_key("eval")).await;
}

/// An entry of which no news came, as when a server dies between its writing and its telling.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_for_due_tasks_has_an_end_of_its_own() {
    guarded(async {
        let Pair { store, server: _server, .. } = pair().await;
        // The first ones may end because the subscription is new.
        for _ in 0..3 {
            store.wait_due(None).await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_without_an_answer_is_replaced() {
    guarded(async {
        let Pair { proxy, store, server: _server, .. } = pair().await;
        let task = admission("a");
        for _ in 0..2 {
            proxy.silence();
            eventually(async || store.record(task.message.id).await.is_ok()).await;
        }
    })
    .await;
}

/// What was on its way need not wait for its own deadline once another link has answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_on_a_dead_link_fails_soon() {
    guarded(async {
        let server = Server::start(&[]).await;
        let proxy = Proxy::before(&server).await;
        let config = proxy.config(server.config(Config::default()));
        let store = RedisStore::open(&config).await.unwrap();
        proxy.silence();
        let since = Instant::now();
        let error = store.record(admission("a").message.id).await.unwrap_err();
        println!("{error}, after {:?}", since.elapsed());
        assert!(error.is_retryable() && since.elapsed() < config.redis.timeout / 2, "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_silence_is_told_once_and_its_end() {
    let (log, _guard) = Log::capture();
    guarded(async {
        let Pair { proxy, store, server: _server, .. } = pair().await;
        let waiting = tokio::spawn(until_due(store));
        proxy.swallow(4).await;
        eventually(async || log.count("no sign of life") == 1 && log.count("no news from Redis") == 1).await;
        proxy.clear();
        eventually(async || log.count("Redis answers again") == 1).await;
        eventually(async || log.count("there is news from Redis again") == 1).await;
        assert_eq!((log.count("no sign of life"), log.count("no news from Redis")), (1, 1));
        waiting.abort();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_behind_one_address_is_followed() {
    guarded(async {
        let Pair { proxy, store, server, .. } = pair().await;
        let successor = Server::start(&[]).await;
        store.admit(&[admission("before")]).await.unwrap();
        let waiting = tokio::spawn(until_due(store.clone()));
        subscribed(&server).await;
        proxy.lead_to(&successor);
        // A replica without a primary: it answers, and takes no writes.
        let demoted: Option<String> = server.ask("REPLICAOF", &["127.0.0.1", "1"]).await;
        assert_eq!(demoted.as_deref(), Some("OK"));
        let task = admission("after");
        eventually(async || store.admit(std::slice::from_ref(&task)).await.is_ok()).await;
        assert_eq!(
            store.admit(std::slice::from_ref(&task)).await.unwrap(),
            [Admitted::Existing(task.message.id)]
        );
        store.schedule(&[due_now()]).await.unwrap();
        waiting.await.unwrap();
    })
    .await;
}
