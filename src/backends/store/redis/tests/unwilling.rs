//! A Redis that answers and takes no writes, or not now.

use super::own::admission;
use crate::{
    backend::redis::testing::server::Server,
    broker::{Broker, conformance::message, redis::RedisBroker},
    store::{
        NoteStore, TaskStore,
        conformance::{eventually, guarded},
        redis::RedisStore,
    },
};
use clawpool_core::{config::Config, task::Priority};

/// A way to bring it about, and one to end it.
struct Fault {
    /// What Redis calls it.
    name: &'static str,
    /// A word of the advice that people get.
    advice: &'static str,
    begin: &'static [&'static [&'static str]],
    end: &'static [&'static [&'static str]],
}

const FAULTS: [Fault; 4] = [
    Fault {
        name: "OOM",
        advice: "maxmemory",
        begin: &[&["CONFIG", "SET", "maxmemory", "1mb"]],
        end: &[&["CONFIG", "SET", "maxmemory", "0"]],
    },
    Fault {
        name: "READONLY",
        advice: "replica",
        begin: &[&["REPLICAOF", "127.0.0.1", "1"]],
        end: &[&["REPLICAOF", "NO", "ONE"]],
    },
    Fault {
        name: "NOREPLICAS",
        advice: "min-replicas-to-write",
        begin: &[&["CONFIG", "SET", "min-replicas-to-write", "1"]],
        end: &[&["CONFIG", "SET", "min-replicas-to-write", "0"]],
    },
    Fault {
        name: "CLUSTERDOWN",
        advice: "CLUSTER INFO",
        begin: &[&["CLUSTER", "DELSLOTSRANGE", "0", "16383"]],
        end: &[&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]],
    },
];

async fn all(server: &Server, commands: &[&[&str]]) {
    for command in commands {
        let answer: Option<String> = server.ask(command[0], &command[1..]).await;
        assert_eq!(answer.as_deref(), Some("OK"), "{command:?}");
    }
}

/// Everything goes through scripts, whose errors Redis wraps into text of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_writes_is_waited_for_with_the_right_advice() {
    for fault in FAULTS {
        let cluster = fault.name == "CLUSTERDOWN";
        let server = Server::start(if cluster { &["--cluster-enabled", "yes"] } else { &[] }).await;
        if cluster {
            all(&server, fault.end).await;
        }
        guarded(answers(&server, &fault)).await;
    }
}

async fn answers(server: &Server, fault: &Fault) {
    let config = server.config(Config::default());
    // A cluster that got its slots a moment ago is not ready at once.
    eventually(async || RedisStore::open(&config).await.is_ok_and(|_| true)).await;
    let store = RedisStore::open(&config).await.unwrap();
    let broker = RedisBroker::open(&config).await.unwrap();
    eventually(async || store.put_note(None, "ready", "".into(), None).await.is_ok()).await;
    all(server, fault.begin).await;
    check(&store, &broker, fault.name, fault.advice).await;
    all(server, fault.end).await;
    eventually(async || store.admit(&[admission("after")]).await.is_ok()).await;
    eventually(async || broker.publish(vec![message(Priority::P0)]).await[0].is_ok()).await;
}

/// What both say while it lasts.
async fn check(store: &RedisStore, broker: &RedisBroker, name: &str, advice: &str) {
    eventually(async || store.put_note(None, "during", "".into(), None).await.is_err()).await;
    let error = store.admit(&[admission("during")]).await.unwrap_err();
    assert!(error.is_retryable(), "{name}: {error}");
    assert!(error.to_string().contains(advice) && error.to_string().contains(name), "{name}: {error}");
    let error = broker.publish(vec![message(Priority::P0)]).await.remove(0).unwrap_err();
    assert!(error.is_retryable(), "{name}: {error}");
    assert!(error.to_string().contains(advice) && error.to_string().contains(name), "{name}: {error}");
}

/// The file cannot be written: here because a folder stands where it belongs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_write_its_file_is_waited_for() {
    guarded(async {
        let server = Server::start(&["--stop-writes-on-bgsave-error", "yes"]).await;
        let config = server.config(Config::default());
        let store = RedisStore::open(&config).await.unwrap();
        let broker = RedisBroker::open(&config).await.unwrap();
        // Only a server that is to write snapshots minds that it cannot.
        all(&server, &[&["CONFIG", "SET", "save", "3600 1"]]).await;
        let place = server.folder().join("dump.rdb");
        std::fs::create_dir(&place).unwrap();
        server.ask::<String>("BGSAVE", &[]).await.unwrap();
        check(&store, &broker, "MISCONF", "disk").await;
        std::fs::remove_dir(&place).unwrap();
        let saved = async || server.ask::<String>("BGSAVE", &[]).await.is_some() && admitted(&store).await;
        eventually(saved).await;
    })
    .await;
}

async fn admitted(store: &RedisStore) -> bool {
    store.admit(&[admission("after")]).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_kept_busy_by_a_script_is_waited_for() {
    guarded(async {
        let server = Server::start(&["--busy-reply-threshold", "10"]).await;
        let config = server.config(Config::default());
        let store = RedisStore::open(&config).await.unwrap();
        let broker = RedisBroker::open(&config).await.unwrap();
        let endless = server.ask::<String>("EVAL", &["while true do end", "0"]);
        let meanwhile = async {
            eventually(async || server.ask::<String>("GET", &["x"]).await.is_none()).await;
            check(&store, &broker, "BUSY", "SCRIPT KILL").await;
            all(&server, &[&["SCRIPT", "KILL"]]).await;
        };
        tokio::join!(endless, meanwhile);
        eventually(async || admitted(&store).await).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_still_reads_its_file_is_waited_for() {
    guarded(async {
        let mut server = Server::start(&[]).await;
        let config = server.config(Config::default());
        let store = RedisStore::open(&config).await.unwrap();
        let broker = RedisBroker::open(&config).await.unwrap();
        // It answers once in a thousand keys, which is twice a second.
        let fill = "for n = 1, 20000 do redis.call('SET', 'filler:' .. n, 'x') end return 'OK'";
        all(&server, &[&["EVAL", fill, "0"]]).await;
        server.kill();
        server.start_slowly(500);
        eventually(async || {
            store.put_note(None, "x", "".into(), None).await.is_err_and(|e| e.to_string().contains("LOADING"))
        })
        .await;
        check(&store, &broker, "LOADING", "data").await;
        eventually(async || admitted(&store).await).await;
    })
    .await;
}
