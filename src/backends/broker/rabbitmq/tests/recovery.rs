//! Connections that break, servers that stop taking messages, queues that vanish.

use std::time::Duration;

use lapin::options::{BasicPublishOptions, QueueDeleteOptions};

use super::{
    Rabbit,
    proxy::{Mode, Proxy},
};
use crate::broker::{
    Broker, BrokerError, Consumer, Delivery,
    conformance::{eventually, guarded, message},
};
use clawpool_core::{
    config::Config,
    task::{DeadReason, Message, Priority, ProcessId, Queue},
};

async fn behind_proxy() -> (Rabbit, Proxy) {
    Rabbit::behind_proxy(Config::default()).await
}

async fn publish(broker: &dyn Broker, message: &Message) -> Result<(), BrokerError> {
    broker.publish(vec![message.clone()]).await.remove(0)
}

/// The next delivery, whatever passing errors come before it.
pub(super) async fn next(consumer: &mut dyn Consumer) -> Delivery {
    loop {
        if let Ok(mut batch) = consumer.next(1).await {
            return batch.remove(0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_1_publishing_and_consuming_survive_a_lost_connection() {
    guarded(async {
        let (rabbit, proxy) = behind_proxy().await;
        let broker = rabbit.open().await;
        let mut consumer = broker.consume(ProcessId::new(), Queue::P4).await.unwrap();
        let first = message(Priority::P4);
        let second = message(Priority::P4);
        publish(&broker, &first).await.unwrap();
        let held = next(consumer.as_mut()).await;

        proxy.set(Mode::Disconnected);
        eventually(async || publish(&broker, &second).await.is_err()).await;
        proxy.set(Mode::Normal);
        eventually(async || publish(&broker, &second).await.is_ok()).await;

        // The late ack is for a channel that is gone: the first message comes again, and this time it goes.
        broker.ack(vec![held.receipt]).await.unwrap();
        let mut again = Vec::new();
        while again.len() < 2 {
            let delivery = next(consumer.as_mut()).await;
            broker.ack(vec![delivery.receipt]).await.unwrap();
            if !again.contains(&delivery.message.id) {
                again.push(delivery.message.id);
            }
        }
        assert_eq!(again, [first.id, second.id]);
    })
    .await;
}

/// The server would deliver messages that are never read, as many as its prefetch, until the connection ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_1_a_consumer_that_started_too_late_keeps_no_message() {
    guarded(async {
        let (rabbit, proxy) = behind_proxy().await;
        let broker = rabbit.open().await;
        let mut consumer = broker.consume(ProcessId::new(), Queue::P2).await.unwrap();
        proxy.set(Mode::SlowConsume);
        // Longer than the timeout of an answer; the next try is under way then.
        let none = tokio::time::timeout(Duration::from_secs(7), consumer.next(4)).await;
        assert!(none.is_err());
        proxy.set(Mode::Normal);

        let mut expected: Vec<_> = (0..10).map(|_| message(Priority::P2)).collect();
        assert!(broker.publish(expected.clone()).await.iter().all(Result::is_ok));
        while !expected.is_empty() {
            let batch = consumer.next(4).await.unwrap();
            expected.retain(|missing| batch.iter().all(|delivery| delivery.message.id != missing.id));
            broker.ack(batch.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unanswered_handshake_is_given_up_soon() {
    guarded(async {
        let (rabbit, proxy) = behind_proxy().await;
        let broker = rabbit.open().await;
        publish(&broker, &message(Priority::P4)).await.unwrap();
        proxy.set(Mode::Disconnected);
        proxy.set(Mode::NeverServed);
        proxy.never_served(2).await;
        proxy.set(Mode::Normal);
        let begun = std::time::Instant::now();
        eventually(async || publish(&broker, &message(Priority::P4)).await.is_ok()).await;
        eventually(async || broker.depth(Queue::P4).await.is_ok()).await;
        println!("connected again after {:?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(8));
    })
    .await;
}

/// Its connection is up, or seems to be; the server does not answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_whose_end_is_not_answered_is_given_up() {
    guarded(async {
        let (mut rabbit, proxy) = behind_proxy().await;
        rabbit.config.rabbitmq.heartbeat = Duration::from_secs(3600);
        let broker = rabbit.open().await;
        let first = message(Priority::P4);
        let second = message(Priority::P4);
        publish(&broker, &first).await.unwrap();
        let mut consumer = broker.consume(ProcessId::new(), Queue::P4).await.unwrap();
        next(consumer.as_mut()).await;
        proxy.set(Mode::NoAnswers);
        tokio::time::timeout(Duration::from_secs(30), consumer.pause())
            .await
            .expect("it waits for ever")
            .unwrap();
        proxy.set(Mode::Normal);
        // What was held on the lost channel comes again.
        eventually(async || publish(&broker, &second).await.is_ok()).await;
        let mut left = vec![first.id, second.id];
        while !left.is_empty() {
            let delivery = next(consumer.as_mut()).await;
            left.retain(|id| *id != delivery.message.id);
            broker.ack(vec![delivery.receipt]).await.unwrap();
        }
    })
    .await;
}

/// Nothing passes on a connection that seems to be up: the missing heartbeats show it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_is_replaced() {
    guarded(async {
        let (mut rabbit, proxy) = behind_proxy().await;
        rabbit.config.rabbitmq.heartbeat = Duration::from_secs(1);
        let broker = rabbit.open().await;
        let mut consumer = broker.consume(ProcessId::new(), Queue::P4).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_secs(1), consumer.next(1)).await.is_err());
        proxy.set(Mode::Silent);
        eventually(async || {
            publish(&broker, &message(Priority::P4)).await.is_err_and(|error| !error.is_doubtful())
        })
        .await;
        proxy.set(Mode::Normal);
        let sent = message(Priority::P4);
        eventually(async || publish(&broker, &sent).await.is_ok()).await;
        while next(consumer.as_mut()).await.message.id != sent.id {}
    })
    .await;
}

/// Changed rights or arguments: trying again does not help, and the caller gets the error at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_consumer_is_told_as_refused() {
    guarded(async {
        let rabbit = Rabbit::fresh(Config::default()).await;
        let broker = rabbit.open().await;
        let channel = rabbit.channel().await;
        let name = format!("{}.v1.normal.p4", rabbit.config.rabbitmq.prefix);
        let other = lapin::options::QueueDeclareOptions { durable: true, ..Default::default() };
        channel.queue_declare(name.as_str().into(), other, Default::default()).await.unwrap();
        let mut consumer = broker.consume(ProcessId::new(), Queue::P4).await.unwrap();
        let refused = consumer.next(1).await.unwrap_err();
        assert!(matches!(&refused, BrokerError::Refused { .. }), "{refused}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_server_is_told_from_a_silent_one() {
    guarded(async {
        let (rabbit, proxy) = behind_proxy().await;
        let broker = rabbit.open().await;
        publish(&broker, &message(Priority::P2)).await.unwrap();
        proxy.set(Mode::Blocked);
        eventually(async || {
            let refused = publish(&broker, &message(Priority::P2)).await.unwrap_err();
            matches!(refused, BrokerError::Blocked { reason, .. } if reason == "low on memory")
        })
        .await;
    })
    .await;
}

/// A server tells only connections that publish that it is blocked: a probe is enough to learn it, and leaves
/// nothing behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_learns_that_the_server_takes_nothing() {
    guarded(async {
        let (rabbit, proxy) = behind_proxy().await;
        let broker = rabbit.open().await;
        let probe = async || broker.probe(Duration::from_secs(10)).await.remove(0).1;
        probe().await.unwrap();
        proxy.set(Mode::Blocked);
        eventually(async || {
            matches!(probe().await, Err(BrokerError::Blocked { reason, .. }) if reason == "low on \
                memory")
        })
        .await;
        proxy.set(Mode::Normal);
        eventually(async || probe().await.is_ok()).await;
        for queue in Queue::CLASSES {
            assert_eq!(broker.depth(queue).await.unwrap().ready, 0);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_queue_is_declared_again() {
    guarded(async {
        let rabbit = Rabbit::fresh(Config::default()).await;
        let broker = rabbit.open().await;
        publish(&broker, &message(Priority::P5)).await.unwrap();
        let mut consumer = broker.consume(ProcessId::new(), Queue::P5).await.unwrap();
        let held = next(consumer.as_mut()).await;
        broker.ack(vec![held.receipt]).await.unwrap();

        let name = format!("{}.v1.normal.p5", rabbit.config.rabbitmq.prefix);
        let channel = rabbit.channel().await;
        channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
        let lost = message(Priority::P5);
        // Nothing is claimed as accepted until the queue is back.
        eventually(async || publish(&broker, &lost).await.is_ok()).await;
        assert_eq!(next(consumer.as_mut()).await.message.id, lost.id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unroutable_message_is_not_accepted() {
    guarded(async {
        let rabbit = Rabbit::fresh(Config::default()).await;
        let broker = rabbit.open().await;
        publish(&broker, &message(Priority::P6)).await.unwrap();
        let name = format!("{}.v1.background", rabbit.config.rabbitmq.prefix);
        let channel = rabbit.channel().await;
        channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
        let refused = publish(&broker, &message(Priority::P6)).await.unwrap_err();
        assert!(refused.is_retryable() && refused.to_string().contains("was deleted"), "{refused}");
        eventually(async || publish(&broker, &message(Priority::P6)).await.is_ok()).await;
        assert_eq!(broker.depth(Queue::P6).await.unwrap().ready, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_not_a_task_goes_to_the_rejects() {
    guarded(async {
        let rabbit = Rabbit::fresh(Config::default()).await;
        let broker = rabbit.open().await;
        let mut consumer = broker.consume(ProcessId::new(), Queue::P4).await.unwrap();
        let good = message(Priority::P4);
        publish(&broker, &good).await.unwrap();
        let prefix = &rabbit.config.rabbitmq.prefix;
        let channel = rabbit.channel().await;
        let key = format!("{prefix}.v1.normal.p4");
        let options = BasicPublishOptions::default();
        channel
            .basic_publish("".into(), key.as_str().into(), options, b"junk", Default::default())
            .await
            .unwrap();
        let delivery = next(consumer.as_mut()).await;
        broker.ack(vec![delivery.receipt]).await.unwrap();
        let last = message(Priority::P4);
        publish(&broker, &last).await.unwrap();
        assert_eq!(next(consumer.as_mut()).await.message.id, last.id);

        // Taken from the dead queue once the server has put it there, it goes on to the rejects.
        let rejects = format!("{prefix}.rejects");
        let mut found = None;
        while found.is_none() {
            assert!(broker.take_dead_lettered(ProcessId::new(), 10).await.unwrap().is_empty());
            let channel = rabbit.channel().await;
            found = channel.basic_get(rejects.as_str().into(), Default::default()).await.unwrap_or_default();
        }
        assert_eq!(found.unwrap().delivery.data, b"junk");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_or_limited_message_is_undeliverable() {
    guarded(async {
        let rabbit = Rabbit::fresh(Config::default()).await;
        let broker = rabbit.open().await;
        let doomed = message(Priority::P4);
        publish(&broker, &doomed).await.unwrap();
        let channel = rabbit.channel().await;
        let name = format!("{}.v1.normal.p4", rabbit.config.rabbitmq.prefix);
        let got = channel.basic_get(name.as_str().into(), Default::default()).await.unwrap().unwrap();
        got.delivery.reject(lapin::options::BasicRejectOptions { requeue: false }).await.unwrap();
        let taken = loop {
            if let Some(taken) = broker.take_dead_lettered(ProcessId::new(), 10).await.unwrap().pop() {
                break taken;
            }
        };
        assert_eq!((taken.reason, taken.delivery.message), (DeadReason::Undeliverable, doomed));
    })
    .await;
}
