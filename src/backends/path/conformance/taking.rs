//! What a take brings, and when one is worth it.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{
    worker::{any, wants},
    *,
};
use crate::store::DeadFilter;

/// What one take brought, once everything that it should bring has come to the worker: so many of each of
/// these, in this order. What was taken too early goes back, and may then stand in another order. Answers the
/// ids of all.
async fn takes_all(worker: &mut Worker, wants: &Wants, expected: &[(&[TaskId], usize)]) -> Vec<TaskId> {
    let count = expected.iter().map(|(_, count)| count).sum();
    let mut taken = Vec::new();
    let mut untouched = true;
    eventually(async || {
        taken = worker.source.take(wants).await.unwrap().tasks;
        assert!(taken.len() <= count, "no more than is wanted");
        let is_all = taken.len() == count;
        untouched &= is_all || taken.is_empty();
        for taken in &taken {
            assert!(worker.finish(taken, if is_all { completed() } else { End::Released }).await);
        }
        is_all
    })
    .await;
    let all = ids(&taken);
    let mut taken = &all[..];
    for (offered, count) in expected {
        let (these, others) = taken.split_at(*count);
        assert!(these.iter().all(|id| offered.contains(id)), "in the order of the wants");
        assert!(!untouched || *these == offered[..*count], "the oldest first");
        taken = others;
    }
    all
}

async fn offer_many(worker: &Worker, priority: Priority, count: usize) -> Vec<TaskId> {
    let messages: Vec<Message> = (0..count).map(|_| message(priority)).collect();
    for message in &messages {
        // One by one: a queue that is just being made may take a batch in another order.
        offer(&worker.servers, std::slice::from_ref(message)).await;
    }
    sent(&messages)
}

pub async fn gives_the_most_urgent_first_and_the_oldest_of_each(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let low = offer_many(&worker, Priority::P5, 3).await;
    let urgent = offer_many(&worker, Priority::P0, 3).await;
    let high = offer_many(&worker, Priority::P2, 2).await;
    let asked = wants([(Queue::P0, 3), (Queue::P2, 3), (Queue::P5, 3)], 8);
    takes_all(&mut worker, &asked, &[(&urgent[..], 3), (&high[..], 2), (&low[..], 3)]).await;
    let urgent = offer_many(&worker, Priority::P0, 1).await;
    let low = offer_many(&worker, Priority::P5, 1).await;
    let asked = wants([(Queue::P5, 3), (Queue::P0, 3)], 8);
    takes_all(&mut worker, &asked, &[(&low[..], 1), (&urgent[..], 1)]).await;
}

pub async fn keeps_within_the_total_and_the_most_of_each(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let urgent = offer_many(&worker, Priority::P0, 4).await;
    let low = offer_many(&worker, Priority::P5, 4).await;
    let asked = wants([(Queue::P0, 2), (Queue::P5, 3)], 4);
    let first = takes_all(&mut worker, &asked, &[(&urgent[..], 2), (&low[..], 2)]).await;
    let rest =
        |offered: Vec<TaskId>| offered.into_iter().filter(|id| !first.contains(id)).collect::<Vec<_>>();
    let (urgent, low) = (rest(urgent), rest(low));
    let asked = wants([(Queue::P0, 0), (Queue::P5, 9)], 9);
    takes_all(&mut worker, &asked, &[(&low[..], 2)]).await;
    let asked = wants([(Queue::P0, 9)], 0);
    assert!(worker.source.take(&asked).await.unwrap().tasks.is_empty());
    assert_eq!(sorted(ids(&worker.take(2).await)), sorted(urgent));
}

/// A starved queue has its turn first, and then all have theirs.
pub async fn asks_a_queue_twice(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let urgent = offer_many(&worker, Priority::P4, 2).await;
    let low = offer_many(&worker, Priority::P5, 3).await;
    let asked = wants([(Queue::P5, 1), (Queue::P4, 2), (Queue::P5, 2)], 4);
    takes_all(&mut worker, &asked, &[(&low[..], 1), (&urgent[..], 2), (&low[1..], 1)]).await;
}

pub async fn a_paused_queue_gives_nothing(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let mut other = Worker::start(fixture).await;
    let paused = offer_one(&worker.servers, Priority::P4).await;
    let asked = wants([(Queue::P0, 5)], 5);
    let urgent = offer_many(&worker, Priority::P0, 1).await;
    takes_all(&mut worker, &asked, &[(&urgent[..], 1)]).await;
    assert_eq!(other.take_one().await.task.id, paused.id, "others may have it");
}

/// Whether the source waits until then, and wakes at once and not when it looks by itself: of three times.
async fn wakes(worker: &mut Worker, mut act: impl AsyncFnMut() -> TaskId) {
    let mut waited = Vec::new();
    for _ in 0..3 {
        assert!(worker.source.take(&any(1)).await.unwrap().tasks.is_empty());
        let wants = any(1);
        let ready = async {
            worker.source.ready(&wants).await.unwrap();
            tokio::time::Instant::now()
        };
        let acts = async {
            let id = act().await;
            (id, tokio::time::Instant::now())
        };
        let (woken, (id, acted)) = tokio::join!(ready, acts);
        waited.push(woken.saturating_duration_since(acted));
        let taken = worker.take_one().await;
        assert_eq!(taken.task.id, id);
        assert!(worker.finish(&taken, completed()).await);
    }
    assert!(waited.iter().any(|wait| *wait < Duration::from_secs(2)), "it did not wake: {waited:?}");
}

pub async fn wakes_for_a_new_task(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let producer = fixture.servers().await;
    let mut priorities = [Priority::P0, Priority::P3, Priority::P6].into_iter();
    wakes(&mut worker, async || offer_one(&producer, priorities.next().unwrap()).await.id).await;
}

pub async fn wakes_for_a_released_task(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let mut other = Worker::start(fixture).await;
    // Taken before the other one waits for it.
    let mut held = Vec::new();
    for _ in 0..3 {
        offer_one(&other.servers, Priority::P1).await;
        held.push(other.take_one().await);
    }
    other.source.rest().await;
    wakes(&mut worker, async || {
        let taken = held.pop().unwrap();
        assert!(other.finish(&taken, End::Released).await);
        taken.task.id
    })
    .await;
}

pub async fn wakes_for_a_promoted_task(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let leader = fixture.servers().await;
    let fence = lead(&leader).await;
    wakes(&mut worker, async || {
        let message = message(Priority::P4);
        offer_at(&leader, &message, Timestamp::now()).await;
        assert_eq!(promote(&leader, fence).await, 1);
        message.id
    })
    .await;
}

pub async fn a_dropped_wait_loses_nothing(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let producer = fixture.servers().await;
    let mut sent = Vec::new();
    let mut taken = Vec::new();
    let wants = any(1);
    for round in 0..20 {
        let wait = worker.source.ready(&wants);
        let _ = tokio::time::timeout(Duration::from_millis(round % 4), wait).await;
        sent.push(offer_one(&producer, Priority::P1).await.id);
        let wait = worker.source.ready(&wants);
        let _ = tokio::time::timeout(Duration::from_millis(round % 3), wait).await;
        taken.extend(worker.source.take(&any(2)).await.unwrap().tasks);
    }
    taken.extend(worker.take(sent.len() - taken.len()).await);
    assert_eq!(sorted(ids(&taken)), sorted(sent));
}

pub async fn inv_2_two_sources_never_get_the_same_task(fixture: &dyn Fixture) {
    const TASKS: usize = 60;
    let producer = fixture.servers().await;
    let workers = [Worker::start(fixture).await, Worker::start(fixture).await, Worker::start(fixture).await];
    let messages: Vec<Message> = (0..TASKS).map(|index| message(Priority::ALL[index % 7])).collect();
    offer(&producer, &messages).await;
    let taken = AtomicUsize::new(0);
    let wants = any(4);
    let run = async |mut worker: Worker| {
        let mut mine = Vec::new();
        while taken.load(Ordering::SeqCst) < TASKS {
            let tasks = worker.source.take(&wants).await.unwrap().tasks;
            for task in &tasks {
                assert!(worker.finish(task, completed()).await, "INV-2: no other worker has it");
            }
            taken.fetch_add(tasks.len(), Ordering::SeqCst);
            if tasks.is_empty() {
                // The others may have the rest.
                let ready = worker.source.ready(&wants);
                let _ = tokio::time::timeout(Duration::from_millis(50), ready).await;
            }
            mine.extend(ids(&tasks));
        }
        (worker, mine)
    };
    let done = futures::future::join_all(workers.map(run)).await;
    let every: Vec<TaskId> = done.iter().flat_map(|(_, mine)| mine.clone()).collect();
    assert_eq!(sorted(every), sorted(sent(&messages)));
    for (worker, _) in done {
        worker.leave_nothing().await;
    }
}

pub async fn a_closed_source_leaves_what_it_did_not_take(fixture: &dyn Fixture) {
    let mut leaving = Worker::start(fixture).await;
    let mut other = Worker::start(fixture).await;
    let messages: Vec<Message> = (0..8).map(|_| message(Priority::P4)).collect();
    offer(&leaving.servers, &messages).await;
    let asked = Wants { ahead: 20, ..any(1) };
    while leaving.source.take(&asked).await.unwrap().tasks.is_empty() {
        leaving.source.ready(&asked).await.unwrap();
    }
    leaving.source.rest().await;
    leaving.source.close().await;
    assert_eq!(other.take(7).await.len(), 7);
}

/// Left by another program, or cut off.
pub async fn an_unreadable_body_becomes_a_dead_letter(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let garbage = Message { body: b"what is this?".as_slice().into(), ..message(Priority::P4) };
    assert!(worker.servers.broker.publish(vec![garbage.clone()]).await[0].is_ok());
    let good = offer_one(&worker.servers, Priority::P4).await;
    assert_eq!(worker.take_one().await.task.id, good.id);
    let mut letters = Vec::new();
    eventually(async || {
        worker.source.take(&any(1)).await.unwrap();
        letters = worker.servers.store.dead(&DeadFilter::default(), None, 10).await.unwrap().items;
        !letters.is_empty()
    })
    .await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!((letters[0].message.id, letters[0].reason), (garbage.id, DeadReason::Undeliverable));
}
