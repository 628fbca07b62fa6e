//! What was refused does not run, or its answer says that it may and that repeating is safe.

use std::{sync::Arc, time::Duration};

use crate::dispatch::testing::{NO_RIGHTS, Pool, email, redis, sqlite};
use crate::dispatch::{Accepted, Producer, Rejection};
use clawpool_backends::{
    broker::{
        Broker,
        conformance::{eventually, guarded},
        rabbitmq::testing::{
            Rabbit,
            proxy::{Mode, Proxy},
        },
    },
    path,
    store::{Claim, ClaimOutcome, Store, conformance::beat_of},
};
use clawpool_core::{
    config::Config,
    task::{Message, NewTask, ProcessId, Queue, TaskId},
};

/// A dispatcher behind a network that breaks, and a worker that has a better one.
struct Site {
    producer: Producer,
    proxy: Proxy,
    worker: Arc<dyn Broker>,
    pool: Pool,
}

impl Site {
    async fn open(config: Config) -> Self {
        let pool = Pool::open(config).await;
        let (mut rabbit, proxy) = Rabbit::behind_proxy(pool.config.clone()).await;
        let producer = Producer::new(
            &rabbit.config,
            path::over(Arc::new(rabbit.open().await), Arc::clone(&pool.store)),
            Arc::clone(&pool.store),
        );
        rabbit.config.rabbitmq.url = clawpool_backends::broker::rabbitmq::testing::server().into();
        let site = Self { producer, proxy, worker: Arc::new(rabbit.open().await), pool };
        // The queue is declared, and the dispatcher has room on it for a while.
        let first = site.enqueue(email()).await.unwrap();
        assert_eq!(site.run(1).await, [first.id]);
        site
    }

    /// Another dispatcher, with a better network.
    fn other(&self) -> Producer {
        let store = Arc::clone(&self.pool.store);
        Producer::new(&self.pool.config, path::over(Arc::clone(&self.worker), Arc::clone(&store)), store)
    }

    async fn enqueue(&self, task: NewTask) -> Result<Accepted, Rejection> {
        self.producer.enqueue(vec![task], NO_RIGHTS).await.remove(0)
    }

    /// Until the dispatcher has its connection again.
    async fn repeat(&self, task: NewTask) -> Accepted {
        loop {
            match self.enqueue(task.clone()).await {
                Ok(accepted) => return accepted,
                Err(refused) => tokio::time::sleep(refused.retry_after.unwrap()).await,
            }
        }
    }

    async fn waiting(&self, messages: u64) {
        eventually(async || self.worker.depth(Queue::P4).await.is_ok_and(|depth| depth.ready == messages))
            .await;
    }

    /// Takes as many messages and claims their tasks. Returns those that were started.
    async fn run(&self, messages: usize) -> Vec<TaskId> {
        let worker = ProcessId::new();
        self.pool.store.beat(&beat_of(worker, Duration::from_secs(3600))).await.unwrap();
        let mut consumer = self.worker.consume(worker, Queue::P4).await.unwrap();
        let mut run = Vec::new();
        let mut taken = 0;
        while taken < messages {
            for delivery in consumer.next(messages - taken).await.unwrap() {
                taken += 1;
                run.extend(start(&*self.pool.store, worker, &delivery.message).await);
                self.worker.ack(vec![delivery.receipt]).await.unwrap();
            }
        }
        run
    }
}

async fn start(store: &dyn Store, worker: ProcessId, message: &Message) -> Option<TaskId> {
    let task = message.task().unwrap();
    let claim = Claim {
        id: task.id,
        generation: task.generation,
        ticket: rand::random(),
        queue: task.queue(),
        kind: task.kind,
        attempt: task.attempt,
        enqueued_at: task.enqueued_at,
        expires_at: task.expires_at,
    };
    let outcome = store.claim(worker, &[claim], false).await.unwrap()[0];
    matches!(outcome, ClaimOutcome::Run { .. }).then_some(message.id)
}

fn says_nothing_was_taken(refused: &Rejection) -> bool {
    refused.retry_after.is_some() && refused.message.contains("nothing was taken") && refused.id.is_none()
}

/// The server says so to the first publisher, and takes what it was sent when it has memory again.
async fn what_a_memory_alarm_refused_does_not_run_later(config: Config) {
    guarded(async {
        let site = Site::open(config).await;
        site.proxy.set(Mode::BlockedOnPublish);
        let refused = site.enqueue(email()).await.unwrap_err();
        assert!(says_nothing_was_taken(&refused), "{refused}");
        site.proxy.set(Mode::Normal);
        site.waiting(1).await;
        let second = site.repeat(email()).await;
        assert_eq!(site.run(2).await, [second.id]);
    })
    .await;
}

async fn what_was_not_confirmed_in_time_does_not_run_later(config: Config) {
    guarded(async {
        let site = Site::open(config).await;
        site.proxy.set(Mode::NoAnswers);
        let refused = site.enqueue(email()).await.unwrap_err();
        assert!(says_nothing_was_taken(&refused), "{refused}");
        site.waiting(1).await;
        site.proxy.set(Mode::Normal);
        let second = site.repeat(email()).await;
        assert_eq!(site.run(2).await, [second.id]);
    })
    .await;
}

async fn what_a_lost_connection_refused_does_not_run_later(config: Config) {
    guarded(async {
        let site = Site::open(config).await;
        site.proxy.set(Mode::NoAnswers);
        let cut = async {
            site.waiting(1).await;
            site.proxy.set(Mode::Disconnected);
        };
        let (refused, ()) = tokio::join!(site.enqueue(email()), cut);
        let refused = refused.unwrap_err();
        assert!(says_nothing_was_taken(&refused), "{refused}");
        site.proxy.set(Mode::Normal);
        let second = site.repeat(email()).await;
        assert_eq!(site.run(2).await, [second.id]);
    })
    .await;
}

async fn what_began_before_its_confirm_came_is_accepted(config: Config) {
    guarded(async {
        let site = Site::open(config).await;
        site.proxy.set(Mode::NoAnswers);
        let (accepted, run) = tokio::join!(site.enqueue(email()), site.run(1));
        assert_eq!([accepted.unwrap().id], run[..]);
    })
    .await;
}

/// Two dispatchers take the same id at once; the one that is refused does not take back what the other
/// answered for.
async fn what_another_dispatcher_accepted_is_not_withdrawn(config: Config) {
    guarded(async {
        let site = Site::open(config).await;
        let other = site.other();
        let task = NewTask { id: Some(TaskId::new()), ..email() };
        site.proxy.set(Mode::NoAnswers);
        let second = async {
            site.waiting(1).await;
            other.enqueue(vec![task.clone()], NO_RIGHTS).await.remove(0)
        };
        let (first, second) = tokio::join!(site.enqueue(task.clone()), second);
        assert!(second.unwrap().duplicate);
        let first = first.unwrap_err();
        assert_eq!((first.id, first.retry_after.is_some()), (task.id, true), "{first}");
        assert_eq!(site.run(2).await, [task.id.unwrap()]);
    })
    .await;
}

/// Its producer had no answer and tries again, with the id, at another dispatcher.
async fn what_a_dispatcher_that_died_had_published_runs_once(config: Config) {
    guarded(async {
        let site = Site::open(config).await;
        let task = NewTask { id: Some(TaskId::new()), ..email() };
        site.proxy.set(Mode::NoAnswers);
        tokio::select! {
            answer = site.enqueue(task.clone()) => panic!("{answer:?}"),
            () = site.waiting(1) => {}
        }
        let other = site.other();
        let again = other.enqueue(vec![task.clone()], NO_RIGHTS).await.remove(0).unwrap();
        assert!(again.duplicate);
        assert_eq!(site.run(2).await, [task.id.unwrap()]);
    })
    .await;
}

macro_rules! on {
    ($backend:ident: $($test:ident),* $(,)?) => {
        mod $backend {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::$backend()).await;
            })*
        }
    };
}

macro_rules! suite {
    ($($backend:ident),*) => {
        $(on!($backend:
            what_a_memory_alarm_refused_does_not_run_later,
            what_was_not_confirmed_in_time_does_not_run_later,
            what_a_lost_connection_refused_does_not_run_later,
            what_began_before_its_confirm_came_is_accepted,
            what_another_dispatcher_accepted_is_not_withdrawn,
            what_a_dispatcher_that_died_had_published_runs_once,
        );)*
    };
}

suite!(sqlite, redis);
