//! A pool on a real broker and store, as a producer sees it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use async_trait::async_trait;

use crate::dispatch::{Accepted, Producer, Rejection, Rights, admit::AdmissionControl};
use clawpool_backends::{
    broker::{self, Broker, BrokerError, Consumer, DeadLettered, Depth, Receipt},
    path,
    store::{self, Store},
};
use clawpool_core::{
    config::{Config, Lanes, Profile, Rule},
    task::{Message, NewTask, Payload, Priority, ProcessId, Queue, TaskId, Timestamp},
};

/// Of a producer that shows no token.
pub const NO_RIGHTS: Rights = Rights { priority: false, token: None };

/// A pool of its own, gone with the folder or under a prefix of its own.
pub struct Pool {
    /// With which it was opened.
    pub config: Config,
    /// The broker of `config`.
    pub broker: Arc<dyn Broker>,
    /// The store of `config`.
    pub store: Arc<dyn Store>,
    /// On both of them.
    pub producer: Producer,
    _folder: tempfile::TempDir,
}

impl Pool {
    /// Opens broker and store; SQLite in a folder of its own.
    pub async fn open(mut config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        config.embedded.data = folder.path().to_owned();
        let broker = broker::open(&config).await.unwrap();
        let store = store::open(&config).await.unwrap();
        let producer =
            Producer::new(&config, path::over(Arc::clone(&broker), Arc::clone(&store)), Arc::clone(&store));
        Self { config, broker, store, producer, _folder: folder }
    }

    /// Enqueues without rights. One answer each, in order.
    pub async fn enqueue(
        &self,
        tasks: impl IntoIterator<Item = NewTask>,
    ) -> Vec<Result<Accepted, Rejection>> {
        self.producer.enqueue(tasks.into_iter().collect(), NO_RIGHTS).await
    }

    /// Enqueues one task without rights.
    pub async fn one(&self, task: NewTask) -> Result<Accepted, Rejection> {
        self.enqueue([task]).await.remove(0)
    }

    /// Messages that wait on the queue.
    pub async fn ready(&self, queue: Queue) -> u64 {
        self.broker.depth(queue).await.unwrap().ready
    }

    /// What the queue holds, taken out.
    pub async fn drain(&self, queue: Queue, count: usize) -> Vec<Message> {
        let mut consumer = self.broker.consume(ProcessId::new(), queue).await.unwrap();
        let mut messages = Vec::new();
        while messages.len() < count {
            let deliveries = consumer.next(count - messages.len()).await.unwrap();
            self.broker
                .ack(deliveries.iter().map(|delivery| delivery.receipt.clone()).collect())
                .await
                .unwrap();
            messages.extend(deliveries.into_iter().map(|delivery| delivery.message));
        }
        messages
    }

    /// A dispatcher that dies between recording a task and publishing it.
    pub async fn record_only(&self, task: NewTask) -> TaskId {
        self.record_only_by(task, &NO_RIGHTS).await
    }

    /// As [`record_only`](Self::record_only), by a producer with these rights.
    pub async fn record_only_by(&self, task: NewTask, rights: &Rights) -> TaskId {
        let control = AdmissionControl::new(&self.config);
        let admission = control.admit(task, rights, None, Timestamp::now()).unwrap();
        self.store.admit(std::slice::from_ref(&admission)).await.unwrap();
        admission.message.id
    }

    /// The same pool behind a broker that refuses every message.
    pub fn refusing(&self, error: BrokerError) -> Producer {
        let broker = Arc::new(Refusing { broker: Arc::clone(&self.broker), error });
        Producer::new(&self.config, path::over(broker, Arc::clone(&self.store)), Arc::clone(&self.store))
    }
}

struct Refusing {
    broker: Arc<dyn Broker>,
    error: BrokerError,
}

#[async_trait]
impl Broker for Refusing {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), BrokerError>> {
        vec![Err(self.error.clone()); messages.len()]
    }

    async fn consume(&self, worker: ProcessId, queue: Queue) -> Result<Box<dyn Consumer>, BrokerError> {
        self.broker.consume(worker, queue).await
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        self.broker.ack(receipts).await
    }

    async fn release(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        self.broker.release(receipts).await
    }

    async fn reclaim(&self, worker: ProcessId) -> Result<u64, BrokerError> {
        self.broker.reclaim(worker).await
    }

    async fn take_dead_lettered(
        &self,
        worker: ProcessId,
        limit: usize,
    ) -> Result<Vec<DeadLettered>, BrokerError> {
        self.broker.take_dead_lettered(worker, limit).await
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError> {
        self.broker.depth(queue).await
    }
}

/// A task of kind `email.send`.
pub fn email() -> NewTask {
    NewTask::new("email.send", Payload::encode("hello").unwrap())
}

/// The same with a unique key.
pub fn keyed(key: &str) -> NewTask {
    NewTask { unique_key: Some(key.to_owned()), ..email() }
}

/// A pool on one SQLite file.
pub fn sqlite() -> Config {
    Config::default()
}

/// A pool on the Redis of `CLAWPOOL_TEST_REDIS` alone, under a prefix of its own.
pub fn redis() -> Config {
    let url = std::env::var("CLAWPOOL_TEST_REDIS")
        .expect("CLAWPOOL_TEST_REDIS is not set: run the tests with tests/run");
    let all = clawpool_core::config::Backend::Redis;
    let mut config = Config {
        profile: Profile::Cluster,
        lanes: Lanes { critical: all, high: all, normal: all, background: all },
        ..Config::default()
    };
    config.redis.url = url.into();
    config.redis.prefix = format!("dispatch-{}", TaskId::new());
    config
}

/// A task of this kind without a payload.
pub fn task(kind: &str) -> NewTask {
    NewTask::new(kind, Payload::null())
}

/// A pool on SQLite with this classification table.
pub fn config(rules: Vec<Rule>) -> Config {
    Config { rules, ..Config::default() }
}

/// A rule that matches every task.
pub fn rule(priority: Priority) -> Rule {
    Rule { priority: Some(priority), ..Rule::default() }
}
