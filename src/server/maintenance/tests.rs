//! Messages that vanish unnoticed, on each kind of server.

use std::{sync::Arc, time::Duration};

use lapin::options::QueuePurgeOptions;
use redis::cmd;
use tokio_util::sync::CancellationToken;

use super::lost::{Pace, search};
use crate::health::Health;
use clawpool_backends::{
    backend::redis::{link::Link, packed, testing::server::on_shared},
    broker::{Found, rabbitmq::testing::Rabbit},
    path::find,
    store::{
        Claim, ClaimOutcome, Topic,
        conformance::{eventually, guarded},
    },
};
use clawpool_core::{
    config::{Config, Profile},
    task::{NewTask, Priority, ProcessId, Queue, TaskId},
};
use clawpool_engine::dispatch::testing::{Pool, config, rule, task};

/// Redis for P0 and P1, RabbitMQ for the others, and everything at one priority.
async fn cluster(priority: Priority) -> (Pool, Rabbit) {
    let rabbit = Rabbit::fresh(on_shared(config(vec![rule(priority)]))).await;
    let config = Config { profile: Profile::Cluster, ..rabbit.config.clone() };
    (Pool::open(config).await, rabbit)
}

/// Searches as the leader does, only faster, until it is as wanted.
async fn searched(pool: &Pool, mut wanted: impl AsyncFnMut(&Health) -> bool) {
    let health = Health::new(Arc::new(Config::default()), pool.broker.clone(), pool.store.clone());
    let millis = Duration::from_millis;
    let pace = Pace { page: millis(10), walk: millis(50), plausible: millis(300) };
    let stop = CancellationToken::new();
    let watched = async {
        eventually(async || wanted(&health).await).await;
        stop.cancel();
    };
    let searching = search(&*pool.store, &*pool.broker, health.alerts(), pace, &stop);
    guarded(async { tokio::join!(searching, watched) }).await;
}

async fn alerts(pool: &Pool) -> Vec<String> {
    let page = pool.store.journal(Topic::Alert, None, None, 100).await.unwrap();
    page.items.iter().map(|entry| entry.body["event"].as_str().unwrap().to_owned()).collect()
}

async fn accepted(pool: &Pool, count: usize) -> Vec<TaskId> {
    let tasks = (0..count).map(|_| task("email.send"));
    pool.enqueue(tasks).await.into_iter().map(|answer| answer.unwrap().id).collect()
}

fn with_id(id: TaskId) -> NewTask {
    NewTask { id: Some(id), ..task("email.send") }
}

#[tokio::test]
async fn what_fell_out_of_a_redis_list_is_put_back_and_what_lost_its_body_is_told_and_can_be_enqueued_again()
{
    let (pool, _rabbit) = cluster(Priority::P1).await;
    let ids = accepted(&pool, 4).await;
    let link = Link::open(&pool.config.redis).await.unwrap();
    let list = format!("{}:q:1", link.base());
    let bodies = format!("{}:m:1", link.base());
    let entry = |id: TaskId| packed::entry(id, 0).to_vec();
    for id in &ids[..2] {
        let () = link.send(cmd("LREM").arg(&list).arg(0).arg(entry(*id))).await.unwrap();
    }
    let () = link.send(cmd("HDEL").arg(&bodies).arg(entry(ids[2]))).await.unwrap();
    // At once, when it is asked for by its id.
    let record = pool.store.record(ids[0]).await.unwrap().unwrap();
    assert_eq!(find(&*pool.store, &*pool.broker, &record).await.unwrap(), Some(Found::Restored));
    searched(&pool, async |health| {
        health.check().await;
        alerts(&pool).await.len() >= 2 && health.troubles().len() == 1
    })
    .await;
    let mut events = alerts(&pool).await;
    events.sort_unstable();
    assert_eq!(events, ["tasks_lost", "tasks_restored"], "each is told once");
    assert!(pool.one(with_id(ids[2])).await.unwrap().duplicate);
    searched(&pool, async |health| {
        health.check().await;
        health.troubles().is_empty()
    })
    .await;
    let mut found: Vec<TaskId> =
        pool.drain(Queue::P1, 4).await.into_iter().map(|message| message.id).collect();
    found.sort_unstable();
    found.dedup();
    let mut all = ids.clone();
    all.sort_unstable();
    assert_eq!(found, all);
}

#[tokio::test]
async fn tasks_of_a_purged_rabbitmq_queue_are_told_and_repetitions_bring_them_back() {
    let (pool, rabbit) = cluster(Priority::P4).await;
    let ids = accepted(&pool, 3).await;
    let queue = format!("{}.v1.normal.p4", rabbit.config.rabbitmq.prefix);
    let purged =
        rabbit.channel().await.queue_purge(queue.into(), QueuePurgeOptions::default()).await.unwrap();
    assert_eq!(purged, 3);
    searched(&pool, async |health| {
        health.check().await;
        health.troubles().iter().any(|trouble| trouble.text.starts_with("3 tasks"))
    })
    .await;
    assert_eq!(alerts(&pool).await, ["tasks_lost"]);
    let repeat = async || {
        for id in &ids {
            assert!(pool.one(with_id(*id)).await.unwrap().duplicate);
        }
    };
    // The first one by the first repetition: its queue is empty. RabbitMQ counts a message a moment later.
    repeat().await;
    guarded(eventually(async || pool.ready(Queue::P4).await >= 1)).await;
    // The others as soon as what was confirmed is no longer fresh: the queue is not empty any more.
    guarded(eventually(async || {
        repeat().await;
        pool.ready(Queue::P4).await >= 3
    }))
    .await;
}

#[tokio::test]
async fn a_long_queue_makes_no_task_suspect() {
    let (pool, _rabbit) = cluster(Priority::P4).await;
    accepted(&pool, 50).await;
    let mut looks = 0;
    searched(&pool, async |health| {
        health.check().await;
        looks += 1;
        looks > 30
    })
    .await;
    assert_eq!(alerts(&pool).await, [""; 0]);
    eventually(async || pool.ready(Queue::P4).await == 50).await;
}

#[tokio::test]
async fn a_running_task_whose_worker_is_unknown_waits_again() {
    let pool = Pool::open(config(vec![rule(Priority::P4)])).await;
    let id = accepted(&pool, 1).await[0];
    let gone = ProcessId::new();
    let mut consumer = pool.broker.consume(gone, Queue::P4).await.unwrap();
    let delivery = consumer.next(1).await.unwrap().remove(0);
    let message = delivery.message;
    let claim = Claim {
        id,
        generation: 0,
        ticket: 1,
        kind: "email.send".into(),
        queue: message.queue,
        attempt: 0,
        enqueued_at: message.enqueued_at,
        expires_at: message.expires_at,
    };
    let outcome = pool.store.claim(gone, std::slice::from_ref(&claim), false).await.unwrap()[0];
    assert!(matches!(outcome, ClaimOutcome::Run { .. }), "{outcome:?}");
    searched(&pool, async |_| pool.ready(Queue::P4).await == 1).await;
    let outcome = pool.store.claim(ProcessId::new(), &[claim], false).await.unwrap()[0];
    assert!(matches!(outcome, ClaimOutcome::Run { crashes: 1, .. }), "{outcome:?}");
}

#[tokio::test]
async fn an_unreadable_record_is_told_and_its_task_can_be_enqueued_again_at_once() {
    let (pool, _rabbit) = cluster(Priority::P0).await;
    let ids = accepted(&pool, 2).await;
    let link = Link::open(&pool.config.redis).await.unwrap();
    let key = [format!("{}:t:", link.base()).as_bytes(), ids[0].as_bytes()].concat();
    let () = link.send(cmd("SET").arg(key).arg("what is this?")).await.unwrap();
    searched(&pool, async |_| alerts(&pool).await == ["unreadable"]).await;
    assert!(pool.store.unreadable(&[]).await.unwrap().is_empty());
    assert!(!pool.one(with_id(ids[0])).await.unwrap().duplicate, "it is forgotten");
    assert_eq!(pool.ready(Queue::P0).await, 2, "its message was there all the time");
}

/// Of a delayed task: the alerts say so, and a repetition with the same id brings it back.
#[tokio::test]
async fn an_entry_of_the_schedule_set_that_cannot_be_read_is_told_and_its_task_can_be_enqueued_again() {
    let (pool, _rabbit) = cluster(Priority::P1).await;
    let delayed = |id| NewTask { id, delay: Some(Duration::from_hours(1)), ..task("email.send") };
    let [garbled, whole] =
        [pool.one(delayed(None)).await.unwrap().id, pool.one(delayed(None)).await.unwrap().id];
    let link = Link::open(&pool.config.redis).await.unwrap();
    let entry = packed::entry(garbled, 0);
    let () =
        link.send(cmd("HSET").arg(format!("{}:sm", link.base())).arg(&entry[..]).arg("?")).await.unwrap();
    let listed = pool.store.scheduled(None, 10).await.unwrap().items;
    assert_eq!(listed.iter().map(|entry| entry.id).collect::<Vec<_>>(), [whole]);
    searched(&pool, async |_| alerts(&pool).await.len() >= 2).await;
    let mut events = alerts(&pool).await;
    events.sort_unstable();
    assert_eq!(events, ["tasks_lost", "unreadable"], "each is told once");
    assert!(pool.one(delayed(Some(garbled))).await.unwrap().duplicate);
    let listed = pool.store.scheduled(None, 10).await.unwrap().items;
    assert_eq!(listed.len(), 2, "it is due when the repetition says");
    assert_eq!(pool.ready(Queue::P1).await, 0);
}
