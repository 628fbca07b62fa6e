//! A task that reaches its worker a second time while the first run goes on: the worker could not reach the
//! servers, was taken for dead, and its tasks went back to their queues, where it found them again before it
//! knew.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Registry,
    claim::claim,
    engine::Event,
    job::{Job, Stop},
    parts::Parts,
    settle::{Ended, Outcomes, Settler},
};
use crate::process::Shutdown;
use clawpool_backends::{
    backend::redis::testing::server::on_shared,
    broker::{
        Broker, Consumer, Delivery,
        conformance::{eventually, guarded, message},
        redis::RedisBroker,
    },
    store::{ClaimOutcome, Claimed, TaskStore, WorkerStore, redis::RedisStore},
};
use clawpool_core::{
    config::Config,
    task::{Outcome, Payload, Priority, ProcessId, Queue},
};

async fn fetched(consumer: &mut dyn Consumer) -> Delivery {
    loop {
        if let Some(delivery) = consumer.next(1).await.unwrap().pop() {
            return delivery;
        }
    }
}

async fn claimed(store: &RedisStore, worker: ProcessId, delivery: Delivery) -> Job {
    let task = Arc::new(delivery.message.task().unwrap());
    match store.claim(worker, &[claim(&task)], false).await.unwrap()[0] {
        ClaimOutcome::Run { token, crashes } => {
            let claimed = Claimed { id: task.id, queue: delivery.receipt.queue, token };
            Job::new(task, delivery, claimed, crashes)
        }
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn inv_1_a_worker_that_was_taken_for_dead_ends_no_message_of_its_later_run() {
    let config = on_shared(Config::default());
    let broker: Arc<dyn Broker> = Arc::new(RedisBroker::open(&config).await.unwrap());
    let store = Arc::new(RedisStore::open(&config).await.unwrap());
    let (worker, message) = (ProcessId::new(), message(Priority::P4));
    broker.publish(vec![message.clone()]).await.pop().unwrap().unwrap();
    let mut consumer = broker.consume(worker, Queue::P4).await.unwrap();
    let first = claimed(&store, worker, fetched(&mut *consumer).await).await;
    assert_eq!(store.end_lease(worker, None).await.unwrap(), [message.id]);
    assert_eq!(broker.reclaim(worker).await.unwrap(), 1);
    let second = claimed(&store, worker, fetched(&mut *consumer).await).await;
    drop(consumer);
    let (settle, received) = Outcomes::new(8);
    let done = Outcome::Completed(Payload::encode("late").unwrap());
    for (job, outcome) in [(first, done), (second, Outcome::Released)] {
        assert!(settle.send(Ended { job: Arc::new(job), outcome }).await);
    }
    drop(settle);
    guarded(Settler { worker, broker: Arc::clone(&broker), store }.run(received)).await;
    let mut other = broker.consume(ProcessId::new(), Queue::P4).await.unwrap();
    guarded(async { assert_eq!(fetched(&mut *other).await.message.id, message.id) }).await;
}

async fn embedded(folder: &tempfile::TempDir) -> Parts {
    let mut config = Config::default();
    config.embedded.data = folder.path().to_owned();
    let stop = CancellationToken::new();
    Parts::assemble(&config, Registry::default(), ProcessId::new(), "test".into(), &stop).await.unwrap()
}

fn job(delivery: &Delivery, crashes: u32) -> Job {
    let (id, queue) = (delivery.receipt.id, delivery.receipt.queue);
    let task = Arc::new(delivery.message.task().unwrap());
    Job::new(task, delivery.clone(), Claimed { id, queue, token: 1 }, crashes)
}

#[tokio::test]
async fn inv_2_a_task_that_still_runs_here_is_put_off_and_not_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = embedded(&folder).await;
    let delivery = clawpool_backends::broker::conformance::delivery(Priority::P4);
    let (id, engine) = (delivery.receipt.id, &mut parts.engine);
    engine.running.insert(id, (0, Arc::new(job(&delivery, 0))));
    engine.ready[Queue::P4.index()].push_back((delivery, Instant::now()));
    engine.dispatch();
    assert_eq!(engine.claiming, 0);
    let store = Arc::clone(&engine.claimer.store);
    let waits = async || store.scheduled(None, 10).await.unwrap().items.iter().any(|task| task.id == id);
    guarded(eventually(waits)).await;
    engine.running.clear();
    parts.engine.drain();
    parts.dismantle(&Shutdown::default()).await;
}

#[tokio::test]
async fn inv_2_a_later_claim_of_a_task_ends_the_earlier_run_and_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = embedded(&folder).await;
    let delivery = clawpool_backends::broker::conformance::delivery(Priority::P4);
    let (id, engine) = (delivery.receipt.id, &mut parts.engine);
    let first = Arc::new(job(&delivery, 0));
    engine.running.insert(id, (0, Arc::clone(&first)));
    engine.claiming = 1;
    engine.others_claiming = 1;
    engine.on_event(Event::Claimed(super::demand::tests::claimed_batch(vec![(
        Queue::P4,
        Some(job(&delivery, 1)),
    )])));
    assert_eq!(first.stopped(), Some(Stop::Lost));
    assert_eq!(engine.run_queue.waiting(Queue::P4), 0);
    engine.running.clear();
    parts.engine.drain();
    parts.dismantle(&Shutdown::default()).await;
}

#[tokio::test]
async fn the_end_of_a_run_in_another_slot_leaves_the_present_run_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = embedded(&folder).await;
    let delivery = clawpool_backends::broker::conformance::delivery(Priority::P4);
    let (id, engine) = (delivery.receipt.id, &mut parts.engine);
    engine.running.insert(id, (1, Arc::new(job(&delivery, 1))));
    let hung = Arc::new(job(&delivery, 0));
    engine.on_event(Event::Finished { slot: 0, job: hung, result: Ok(Payload::encode("late").unwrap()) });
    assert!(engine.running.contains_key(&id), "its outcome is yet to come");
    engine.running.clear();
    parts.engine.drain();
    parts.dismantle(&Shutdown::default()).await;
}
