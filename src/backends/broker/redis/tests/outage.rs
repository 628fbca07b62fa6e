//! redis-server dies and comes back.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use super::{super::RedisBroker, blocked, publish, receipts, take};
use crate::{
    backend::redis::testing::server::Server,
    broker::{
        Broker, BrokerError,
        conformance::{eventually, guarded, message, message_on},
    },
};
use clawpool_core::{
    config::Config,
    task::{Priority, ProcessId, Queue, TaskId},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_1_a_killed_server_loses_nothing() {
    guarded(async {
        let mut server = Server::start(&[]).await;
        let broker = RedisBroker::open(&server.config(Config::default())).await.unwrap();
        let messages: Vec<_> = (0..9).map(|_| message(Priority::P0)).collect();
        publish(&broker, &messages).await;
        let mut consumer = broker.consume(ProcessId::new(), Queue::P0).await.unwrap();
        let acked = take(consumer.as_mut(), 3).await;
        broker.ack(receipts(&acked)).await.unwrap();
        let held = take(consumer.as_mut(), 3).await;
        server.kill();
        let answers = broker.publish(vec![message(Priority::P0)]).await;
        assert!(answers[0].as_ref().is_err_and(BrokerError::is_retryable), "{answers:?}");
        server.start_again().await;
        // Held ones are still this worker's, and are not delivered to it twice.
        let rest = take(consumer.as_mut(), 3).await;
        broker.ack(receipts(&held)).await.unwrap();
        broker.ack(receipts(&rest)).await.unwrap();
        let seen: Vec<_> =
            [acked, held, rest].concat().into_iter().map(|delivery| delivery.message).collect();
        assert!(seen == messages, "each message once, in order");
        assert_eq!(broker.depth(Queue::P0).await.unwrap().ready, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_consumer_survives_a_killed_server() {
    guarded(async {
        let mut server = Server::start(&[]).await;
        let broker = RedisBroker::open(&server.config(Config::default())).await.unwrap();
        let mut consumer = broker.consume(ProcessId::new(), Queue::P2).await.unwrap();
        let waiting = tokio::spawn(async move { take(consumer.as_mut(), 1).await });
        blocked(&server, 1).await;
        for _ in 0..2 {
            server.kill();
            server.start_again().await;
            blocked(&server, 1).await;
        }
        let news = message(Priority::P2);
        publish(&broker, std::slice::from_ref(&news)).await;
        assert_eq!(waiting.await.unwrap()[0].message, news);
    })
    .await;
}

/// An answer that was lost on the way: Redis counts the message as held, and this process does not know it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_1_the_messages_of_a_lost_answer_are_found_again() {
    guarded(async {
        let mut server = Server::start(&[]).await;
        let config = server.config(Config::default());
        let broker = RedisBroker::open(&config).await.unwrap();
        let twin = RedisBroker::open(&config).await.unwrap();
        let worker = ProcessId::new();
        let messages = [message(Priority::P2), message(Priority::P2)];
        publish(&broker, &messages).await;
        let mut consumer = broker.consume(worker, Queue::P2).await.unwrap();
        let first = take(consumer.as_mut(), 1).await;
        // Takes the second one in the same worker's name, unknown to the first handle.
        take(twin.consume(worker, Queue::P2).await.unwrap().as_mut(), 1).await;
        let waiting = tokio::spawn(async move { take(consumer.as_mut(), 1).await });
        blocked(&server, 1).await;
        server.kill();
        server.start_again().await;
        let second = waiting.await.unwrap();
        assert_eq!([&first[0].message, &second[0].message], [&messages[0], &messages[1]]);
    })
    .await;
}

const QUEUES: [Queue; 2] = [Queue::P0, Queue::P2];

type Ledger = Arc<Mutex<HashSet<TaskId>>>;

/// Publishers and consumers at work while the server is killed again and again; the ledger is kept outside of
/// it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_1_kills_under_load_lose_nothing() {
    guarded(async {
        let mut server = Server::start(&[]).await;
        let config = server.config(Config::default());
        let accepted = Ledger::default();
        let seen = Ledger::default();
        let mut work = Vec::new();
        let mut workers = Vec::new();
        for queue in QUEUES {
            let broker = Arc::new(RedisBroker::open(&config).await.unwrap());
            work.push(tokio::spawn(produce(broker.clone(), queue, accepted.clone())));
            for _ in 0..2 {
                workers.push(ProcessId::new());
                work.push(tokio::spawn(drain(
                    broker.clone(),
                    workers[workers.len() - 1],
                    queue,
                    seen.clone(),
                )));
            }
        }
        for _ in 0..4 {
            let before = seen.lock().unwrap().len();
            eventually(async || seen.lock().unwrap().len() > before + 50).await;
            server.kill();
            server.start_again().await;
        }
        work.into_iter().for_each(|work| work.abort());
        // What waits, and what the reaper takes from the aborted workers.
        let broker = Arc::new(RedisBroker::open(&config).await.unwrap());
        for queue in QUEUES {
            tokio::spawn(drain(broker.clone(), ProcessId::new(), queue, seen.clone()));
        }
        eventually(async || {
            for worker in &workers {
                broker.reclaim(*worker).await.unwrap();
            }
            accepted.lock().unwrap().is_subset(&seen.lock().unwrap())
        })
        .await;
    })
    .await;
}

async fn produce(broker: Arc<RedisBroker>, queue: Queue, accepted: Ledger) {
    loop {
        let messages: Vec<_> = (0..8).map(|_| message_on(queue)).collect();
        let answers = broker.publish(messages.clone()).await;
        let taken = messages.iter().zip(answers).filter(|(_, answer)| answer.is_ok());
        accepted.lock().unwrap().extend(taken.map(|(message, _)| message.id));
    }
}

/// Writes into the ledger before it acknowledges, as a worker settles before it acknowledges.
async fn drain(broker: Arc<RedisBroker>, worker: ProcessId, queue: Queue, seen: Ledger) {
    let mut consumer = broker.consume(worker, queue).await.unwrap();
    loop {
        let deliveries = consumer.next(16).await.unwrap_or_default();
        seen.lock().unwrap().extend(deliveries.iter().map(|delivery| delivery.message.id));
        // A failed one is delivered again.
        let _ = broker.ack(receipts(&deliveries)).await;
    }
}
