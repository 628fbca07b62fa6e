//! What Redis alone has to show.

use std::time::Duration;

use redis::cmd;

use super::{
    super::{RedisStore, record},
    open,
};
use crate::{
    backend::redis::{link::Link, testing::server::Server},
    store::{
        Admission, Admitted, Claim, ClaimOutcome, Claimed, ControlStore, End, Settlement, StoreError,
        TaskStore, WorkerStore, conformance::message,
    },
};
use clawpool_core::{
    config::Config,
    task::{Message, Payload, Priority, ProcessId, Queue, TaskId},
};

#[tokio::test]
async fn refuses_a_server_that_throws_tasks_away() {
    let server = Server::start(&["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]).await;
    let config = server.config(Config::default());
    let Err(StoreError::Refused { reason, .. }) = RedisStore::open(&config).await else {
        panic!("it is refused")
    };
    assert!(reason.contains("allkeys-lru") && reason.contains("maxmemory-policy noeviction"), "{reason}");
    let answer: Option<String> = server.ask("CONFIG", &["SET", "maxmemory-policy", "noeviction"]).await;
    assert_eq!(answer.as_deref(), Some("OK"));
    assert!(RedisStore::open(&config).await.is_ok());
}

#[tokio::test]
async fn inv_10_an_address_with_a_password_is_never_told() {
    for url in
        ["not an address with s3cret", "http://user:s3cret@host/0", "redis://user:s3cret@127.0.0.1:1/0"]
    {
        let mut config = Config::default();
        config.redis.url = url.to_owned().into();
        let Err(error) = RedisStore::open(&config).await else { panic!("nothing is there") };
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn a_prefix_must_name_one_hash_slot() {
    for prefix in ["", "a{b", "}"] {
        let mut config = open(Config::default()).await.0;
        config.redis.prefix = prefix.into();
        let Err(StoreError::Refused { reason, .. }) = RedisStore::open(&config).await else {
            panic!("{prefix:?}")
        };
        assert!(reason.contains("redis.prefix"), "{reason}");
    }
}

#[tokio::test]
async fn another_prefix_is_another_pool() {
    let one = open(Config::default()).await.0;
    let other = open(Config::default()).await.0;
    let one = RedisStore::open(&one).await.unwrap();
    let other = RedisStore::open(&other).await.unwrap();
    let task = admission("same-key");
    for store in [&one, &other] {
        assert_eq!(store.admit(std::slice::from_ref(&task)).await.unwrap(), [Admitted::New]);
    }
    one.set_paused(Queue::P0, true).await.unwrap();
    one.cancel(task.message.id).await.unwrap();
    assert!(other.paused().await.unwrap().is_empty());
    assert!(!other.record(task.message.id).await.unwrap().unwrap().state.is_final());
}

/// A store, and a way to look at what it has written.
async fn opened() -> (Config, RedisStore, Link) {
    let config = open(Config::default()).await.0;
    let store = RedisStore::open(&config).await.unwrap();
    let link = Link::open(&config.redis).await.unwrap();
    (config, store, link)
}

/// A record may go by itself while its task waits on a queue and after it is over, never between.
#[tokio::test]
async fn inv_1_records_of_running_and_scheduled_tasks_do_not_expire() {
    let (config, store, link) = opened().await;
    let task = admission("k");
    let id = task.message.id;
    let ttl = async |what: &str| -> i64 {
        let name = if what == "t" { [b":t:", &id.as_bytes()[..]].concat() } else { b":u:k".to_vec() };
        link.send(cmd("PTTL").arg([link.base().as_bytes(), &name].concat())).await.unwrap()
    };
    store.admit(std::slice::from_ref(&task)).await.unwrap();
    assert!(ttl("t").await > 3_600_000 && ttl("u").await > 3_600_000, "queued: until after it has expired");
    let worker = ProcessId::new();
    let claimed = claim(&store, worker, &task).await;
    assert_eq!((ttl("t").await, ttl("u").await), (-1, -1), "running: for as long as it takes");
    settle(&store, worker, claimed, End::Released).await;
    assert!(ttl("t").await > 3_600_000 && ttl("u").await > 3_600_000, "queued again");
    let claimed = claim(&store, worker, &task).await;
    settle(&store, worker, claimed, completed(Duration::from_secs(1))).await;
    let left = ttl("t").await;
    let dedupe = i64::try_from(config.results.dedupe.as_millis()).unwrap();
    assert!(left > dedupe / 2 && left <= dedupe, "INV-5: over: at least the dedupe window, {left} ms");
    assert_eq!(ttl("u").await, -2, "its key is free");
}

/// Tokens come from the clock where the counter was lost, so that a zombie's token is never given again.
#[tokio::test]
async fn inv_2_tokens_rise_past_a_lost_counter() {
    let (_, store, link) = opened().await;
    let worker = ProcessId::new();
    let first = claim(&store, worker, &admission("a")).await;
    link.send::<i64>(cmd("DEL").arg(format!("{}:token", link.base()))).await.unwrap();
    assert!(claim(&store, worker, &admission("b")).await.token > first.token);
}

/// Workers of an earlier version read a record's crashes as a number and compare it with a limit of three.
#[tokio::test]
async fn inv_3_a_record_counts_crashes_as_earlier_versions_read_them() {
    let (_, store, link) = opened().await;
    let task = admission("a");
    let crashes = async || -> u32 {
        let record: Vec<u8> =
            link.send(cmd("GET").arg(record::key(link.base(), task.message.id))).await.unwrap();
        u32::from_be_bytes(record[14..18].try_into().unwrap())
    };
    for died in 1..=2 {
        let worker = ProcessId::new();
        claim(&store, worker, &task).await;
        assert_eq!(store.end_lease(worker, None).await.unwrap(), [task.message.id]);
        assert_eq!(crashes().await, died);
    }
}

/// The steps of a task without a unique key are made on its packed record, those of one with a key on a table
/// of it.
#[tokio::test]
async fn the_short_way_writes_the_record_of_the_long_way() {
    let (_, store, link) = opened().await;
    let keyed = admission("k");
    let plain = Admission {
        unique_key: None,
        message: Message { id: TaskId::new(), ..keyed.message.clone() },
        ..keyed.clone()
    };
    let tasks = [plain, keyed];
    let records = async || -> [Vec<u8>; 2] {
        let [plain, keyed] = tasks.each_ref().map(|task| record::key(link.base(), task.message.id));
        link.send(cmd("MGET").arg(plain).arg(keyed)).await.unwrap()
    };
    store.admit(&tasks).await.unwrap();
    let worker = ProcessId::new();
    let outcomes = store.claim(worker, &tasks.each_ref().map(claim_of), false).await.unwrap();
    let tokens = [0, 1].map(|index| match outcomes[index] {
        ClaimOutcome::Run { token, .. } => token,
        outcome => panic!("{outcome:?}"),
    });
    let [plain, running] = records().await;
    assert_eq!(as_keyed(&plain, tokens[1]), running);
    let ends = [0, 1].map(|index| {
        let message = &tasks[index].message;
        let claimed = Claimed { id: message.id, queue: message.queue, token: tokens[index] };
        let result = Payload::encode("done").unwrap();
        Settlement::uncounted(claimed, End::Completed { result, keep: Duration::from_mins(1) })
    });
    assert_eq!(store.settle(worker, &ends).await.unwrap(), [true, true]);
    let [plain, over] = records().await;
    assert_eq!(as_keyed(&plain, 0), over);
    assert!(over.ends_with(b"\0\0\0\x05\xa4done\0\0\0\0"), "its result, and no failure");
}

/// What the record would be with the unique key `k` and this token.
fn as_keyed(plain: &[u8], token: u64) -> Vec<u8> {
    let key_at = 86 + 4 + "test.echo".len() + 4;
    let mut keyed = plain.to_vec();
    keyed[3] = 1;
    keyed[58..66].copy_from_slice(&token.to_be_bytes());
    keyed.splice(key_at..key_at + 4, *b"\0\0\0\x01k");
    keyed
}

pub(super) fn admission(key: &str) -> Admission {
    let message = message(Priority::P1);
    Admission {
        message,
        kind: "test.echo".into(),
        tenant: None,
        enqueued_by: None,
        unique_key: Some(key.into()),
        at: None,
        fingerprint: None,
    }
}

pub(super) async fn claim(store: &RedisStore, worker: ProcessId, task: &Admission) -> Claimed {
    let message = &task.message;
    match store.claim(worker, &[claim_of(task)], false).await.unwrap()[0] {
        ClaimOutcome::Run { token, .. } => Claimed { id: message.id, queue: message.queue, token },
        outcome => panic!("{outcome:?}"),
    }
}

fn claim_of(task: &Admission) -> Claim {
    let message = &task.message;
    Claim {
        ticket: 1,
        id: message.id,
        generation: message.generation,
        kind: task.kind.clone(),
        queue: message.queue,
        attempt: 0,
        enqueued_at: message.enqueued_at,
        expires_at: message.expires_at,
    }
}

pub(super) async fn settle(store: &RedisStore, worker: ProcessId, claimed: Claimed, end: End) {
    assert_eq!(store.settle(worker, &[Settlement::uncounted(claimed, end)]).await.unwrap(), [true]);
}

pub(super) fn completed(keep: Duration) -> End {
    End::Completed { result: Payload::encode(&TaskId::new()).unwrap(), keep }
}
