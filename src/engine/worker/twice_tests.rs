//! A task that reaches its worker a second time while the first run goes on: the worker could not reach the
//! servers, was taken for dead, and its tasks went back to their queues, where it found them again before it
//! knew.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    Registry,
    engine::Event,
    facts::Facts,
    identity::Identity,
    job::{Job, Stop},
    parts::Parts,
    puller::Batch,
    settle::{Ended, Outcomes, Settler},
    story::Stories,
};
use crate::process::Shutdown;
use clawpool_backends::{
    backend::redis::testing::server::on_shared,
    broker::conformance::{eventually, guarded, message},
    path::{self, Path, Source, TakenTask, Taker, Want, Wants, conformance::taken},
};
use clawpool_core::{
    config::{Backend, Config, Lanes, Profile},
    task::{Outcome, Payload, Priority, ProcessId, Queue},
};

async fn source(path: &dyn Path, worker: ProcessId) -> Box<dyn Source> {
    let taker = Taker {
        worker,
        hold: Duration::from_secs(60),
        sees_silence: Arc::new(|| false),
        stop: CancellationToken::new(),
    };
    path.source(taker).await
}

async fn one(source: &mut dyn Source) -> TakenTask {
    let wants = Wants { queues: vec![Want { queue: Queue::P4, most: 1 }], total: 1, ahead: 0 };
    loop {
        if let Some(task) = source.take(&wants).await.unwrap().tasks.pop() {
            return task;
        }
        source.ready(&wants).await.unwrap();
    }
}

#[tokio::test]
async fn inv_1_a_worker_that_was_taken_for_dead_ends_no_message_of_its_later_run() {
    let lanes = Lanes {
        critical: Backend::Redis,
        high: Backend::Redis,
        normal: Backend::Redis,
        background: Backend::Redis,
    };
    let config = on_shared(Config { profile: Profile::Cluster, lanes, ..Config::default() });
    let servers = path::open(&config).await.unwrap();
    let worker = ProcessId::new();
    let message = message(Priority::P4);
    servers.broker.publish(vec![message.clone()]).await.pop().unwrap().unwrap();
    let mut mine = source(&*servers.path, worker).await;
    let first = guarded(one(&mut *mine)).await;
    assert_eq!(servers.store.end_lease(worker, None).await.unwrap(), [message.id]);
    assert_eq!(servers.path.reclaim(worker).await.unwrap(), 1);
    let second = guarded(one(&mut *mine)).await;
    mine.close().await;
    let (settle, received) = Outcomes::new(8);
    let done = Outcome::Completed(Payload::encode("late").unwrap());
    for (task, outcome) in [(first, done), (second, Outcome::Released)] {
        assert!(settle.try_send(Ended { job: Arc::new(Job::new(task)), outcome, spans: None }));
    }
    drop(settle);
    let config = Config::default();
    let facts = Facts::new(&config, "test".into(), "1.0.0".into());
    let stories = Stories::new(&config, worker, "1.0.0".into());
    let path = Arc::clone(&servers.path);
    guarded(Settler { worker, path, facts, stories, tracer: Default::default() }.run(received)).await;
    let mut other = source(&*servers.path, ProcessId::new()).await;
    assert_eq!(guarded(one(&mut *other)).await.task.id, message.id);
}

async fn embedded(folder: &tempfile::TempDir) -> Parts {
    let mut config = Config::default();
    config.embedded.data = folder.path().to_owned();
    let stop = CancellationToken::new();
    let who = Identity::of_test(ProcessId::new());
    Parts::assemble(&config, Registry::default(), who, &stop).await.unwrap()
}

/// The source of P4 has brought this task.
fn brought(parts: &mut Parts, task: TakenTask) {
    let engine = &mut parts.engine;
    let source = engine.sources.iter().position(|source| !source.is_critical).unwrap();
    let call = engine.calls.begin();
    let batch = Batch { source, call, tasks: vec![task], is_all: true, took: Duration::ZERO };
    engine.on_event(Event::Taken(batch));
}

#[tokio::test]
async fn inv_2_a_later_claim_of_a_task_ends_the_earlier_run_and_is_put_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = embedded(&folder).await;
    let servers = {
        let mut config = Config::default();
        config.embedded.data = folder.path().to_owned();
        path::open(&config).await.unwrap()
    };
    let message = message(Priority::P4);
    servers.broker.publish(vec![message.clone()]).await.pop().unwrap().unwrap();
    let worker = parts.id;
    let mut mine = source(&*servers.path, worker).await;
    let task = guarded(one(&mut *mine)).await;
    let first = Arc::new(Job::new(task.clone()));
    parts.engine.running.insert(message.id, (0, Arc::clone(&first)));
    brought(&mut parts, TakenTask { crashes: 1, ..task });
    assert_eq!(first.stopped(), Some(Stop::Lost));
    assert_eq!(parts.engine.run_queue.waiting(Queue::P4), 0);
    let waits = async || {
        let scheduled = servers.store.scheduled(None, 10).await.unwrap().items;
        scheduled.iter().any(|task| task.id == message.id)
    };
    guarded(eventually(waits)).await;
    parts.engine.running.clear();
    parts.engine.drain();
    parts.dismantle(&Shutdown::default()).await;
}

#[tokio::test]
async fn the_end_of_a_run_in_another_slot_leaves_the_present_run_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = embedded(&folder).await;
    let task = taken(Priority::P4);
    let id = task.task.id;
    let engine = &mut parts.engine;
    engine.running.insert(id, (1, Arc::new(Job::new(TakenTask { crashes: 1, ..task.clone() }))));
    let hung = Arc::new(Job::new(task));
    engine.on_event(Event::Finished { slot: 0, job: hung, result: Ok(Payload::encode("late").unwrap()) });
    assert!(engine.running.contains_key(&id), "its outcome is yet to come");
    engine.running.clear();
    parts.engine.drain();
    parts.dismantle(&Shutdown::default()).await;
}
