//! What Redis alone has to show.

use std::time::Duration;

use redis::cmd;

use super::{
    super::{RedisBroker, scripts},
    blocked, open, publish, put_garbage, receipts, take,
};
use crate::{
    backend::{
        StoredItem, Unreadable,
        redis::{link::Link, packed, testing::server::Server},
    },
    broker::{
        Broker, BrokerError,
        conformance::{guarded, message, message_on, message_with, queues},
    },
    store::{TaskStore, redis::RedisStore},
};
use clawpool_core::{
    config::Config,
    task::{Priority, ProcessId, Queue, Timestamp},
};

#[tokio::test]
async fn refuses_a_server_that_throws_tasks_away() {
    let server = Server::start(&["--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru"]).await;
    let Err(error) = RedisBroker::open(&server.config(Config::default())).await else {
        panic!("it is refused")
    };
    assert!(
        matches!(&error, BrokerError::Refused { reason, .. } if reason.contains("volatile-lru")),
        "{error}"
    );
}

/// The next wait for the bell, and a fetch: two commands in two seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_consumer_sends_a_command_a_second() {
    guarded(async {
        let server = Server::start(&[]).await;
        let broker = RedisBroker::open(&server.config(Config::default())).await.unwrap();
        let worker = ProcessId::new();
        let mut idle = Vec::new();
        for queue in queues() {
            let mut consumer = broker.consume(worker, queue).await.unwrap();
            idle.push(tokio::spawn(async move { consumer.next(10).await.unwrap() }));
        }
        blocked(&server, idle.len()).await;
        let sent = async || -> u64 {
            let commands = server.commands().await;
            ["evalsha", "blpop"].iter().filter_map(|name| commands.get(*name)).sum()
        };
        let before = sent().await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        let sent = sent().await - before;
        println!("{} idle consumers sent {sent} commands in 4 s", idle.len());
        assert!(
            sent <= 6 * idle.len() as u64,
            "{sent}: no more than a command a second, and the window's edges"
        );
        for (queue, idle) in Queue::CLASSES.into_iter().zip(idle) {
            let news = message_on(queue);
            publish(&broker, std::slice::from_ref(&news)).await;
            assert_eq!(idle.await.unwrap()[0].message, news, "{queue} wakes");
        }
    })
    .await;
}

/// A paused consumer leaves its connection to the pool and the bell to others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_consumer_no_longer_waits() {
    guarded(async {
        let server = Server::start(&[]).await;
        let broker = RedisBroker::open(&server.config(Config::default())).await.unwrap();
        let mut consumer = broker.consume(ProcessId::new(), Queue::P0).await.unwrap();
        for _ in 0..5 {
            let waited = tokio::time::timeout(Duration::from_millis(20), consumer.next(1)).await;
            assert!(waited.is_err());
            blocked(&server, 1).await;
            consumer.pause().await.unwrap();
            blocked(&server, 0).await;
        }
        let mut other = broker.consume(ProcessId::new(), Queue::P0).await.unwrap();
        let waiting = tokio::spawn(async move { other.next(1).await.unwrap() });
        publish(&broker, &[message(Priority::P0)]).await;
        assert_eq!(waiting.await.unwrap().len(), 1);
    })
    .await;
}

/// The task of a held message went back through the schedule set before its first delivery was acknowledged.
#[tokio::test]
async fn inv_1_an_ack_does_not_take_the_next_copy_along() {
    let broker = RedisBroker::open(&open(Config::default()).await.0).await.unwrap();
    let task = message(Priority::P1);
    publish(&broker, std::slice::from_ref(&task)).await;
    let mut consumer = broker.consume(ProcessId::new(), Queue::P1).await.unwrap();
    let held = take(consumer.as_mut(), 1).await;
    publish(&broker, std::slice::from_ref(&task)).await;
    broker.ack(receipts(&held)).await.unwrap();
    let again = take(consumer.as_mut(), 1).await;
    assert_eq!(again[0].message, task);
    broker.ack(receipts(&again)).await.unwrap();
    assert_eq!(broker.depth(Queue::P1).await.unwrap().ready, 0);
}

#[tokio::test]
async fn acknowledged_messages_leave_nothing_behind() {
    let config = open(Config::default()).await.0;
    let broker = RedisBroker::open(&config).await.unwrap();
    let messages: Vec<_> = (0..700).map(|index| message(Priority::ALL[index % 7])).collect();
    publish(&broker, &messages).await;
    for queue in queues() {
        let mut consumer = broker.consume(ProcessId::new(), queue).await.unwrap();
        let count = messages.iter().filter(|message| message.queue == queue).count();
        broker.ack(receipts(&take(consumer.as_mut(), count).await)).await.unwrap();
    }
    let link = Link::open(&config.redis).await.unwrap();
    let keys: Vec<String> = link.send(cmd("KEYS").arg(format!("{}*", link.base()))).await.unwrap();
    assert!(keys.is_empty(), "{keys:?}");
}

/// Without a consumer, the leader meets it when it takes expired messages.
#[tokio::test]
async fn an_unreadable_message_does_not_hide_an_expired_one_and_is_reported() {
    let config = open(Config::default()).await.0;
    let broker = RedisBroker::open(&config).await.unwrap();
    let store = RedisStore::open(&config).await.unwrap();
    let ids = put_garbage(&config, Queue::P1, &["", "?", "what is this, and what is it for?"]).await;
    assert_eq!(broker.depth(Queue::P1).await.unwrap().ready, 4);
    let late = message_with(Priority::P1, |task| task.expires_at = Timestamp::now());
    publish(&broker, std::slice::from_ref(&late)).await;
    let taken = broker.take_dead_lettered(ProcessId::new(), 10).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].delivery.message, late);
    let told = store.unreadable(&[]).await.unwrap();
    assert!(told.iter().all(|told| told.what == StoredItem::Message));
    assert_eq!(
        told.iter().filter_map(Unreadable::task).collect::<Vec<_>>(),
        ids,
        "and one that names no task"
    );
    let link = Link::open(&config.redis).await.unwrap();
    let key = [format!("{}:x:m:", link.base()).as_bytes(), &packed::entry(ids[1], 0)].concat();
    assert_eq!(link.send::<String>(cmd("GET").arg(key)).await.unwrap(), "?", "as it was");
}

/// A message that is published over one that cannot be read, be it waiting or held, is delivered.
#[tokio::test]
async fn inv_1_a_garbled_message_does_not_pass_for_the_one_that_is_published_again() {
    let config = open(Config::default()).await.0;
    let broker = RedisBroker::open(&config).await.unwrap();
    let link = Link::open(&config.redis).await.unwrap();
    let mut consumer = broker.consume(ProcessId::new(), Queue::P1).await.unwrap();
    for is_held in [false, true] {
        let task = message(Priority::P1);
        publish(&broker, std::slice::from_ref(&task)).await;
        let held = if is_held { take(consumer.as_mut(), 1).await } else { Vec::new() };
        let entry = packed::entry(task.id, task.generation);
        let () = link
            .send(cmd("HSET").arg(format!("{}:m:1", link.base())).arg(&entry[..]).arg("?"))
            .await
            .unwrap();
        publish(&broker, std::slice::from_ref(&task)).await;
        broker.ack(receipts(&held)).await.unwrap();
        let again = take(consumer.as_mut(), 1).await;
        assert_eq!(again[0].message, task);
        broker.ack(receipts(&again)).await.unwrap();
    }
}

#[tokio::test]
async fn another_prefix_is_another_pool() {
    let one = open(Config::default()).await.0;
    let other = open(Config::default()).await.0;
    let one = RedisBroker::open(&one).await.unwrap();
    let other = RedisBroker::open(&other).await.unwrap();
    publish(&one, &[message(Priority::P0)]).await;
    assert_eq!(one.depth(Queue::P0).await.unwrap().ready, 1);
    assert_eq!(other.depth(Queue::P0).await.unwrap().ready, 0);
}

/// Also those that no other test runs.
#[tokio::test]
async fn every_script_is_lua() {
    let link = Link::open(&open(Config::default()).await.0.redis).await.unwrap();
    for script in scripts::ALL.iter() {
        let _: String = link.send(cmd("SCRIPT").arg("LOAD").arg(script.code())).await.unwrap();
    }
}
