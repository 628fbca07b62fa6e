//! Waiting tasks that are sent to another queue, and looked into where they wait.

use std::collections::BTreeSet;

use super::*;
use crate::store::{Record, RecordFilter};
use clawpool_core::task::Inside;

async fn send(servers: &Servers, record: &Record, to: Queue, dry_run: bool) -> Rerouted {
    reroute(&*servers.store, &*servers.broker, std::slice::from_ref(record), to, dry_run).await.unwrap()
}

async fn record(servers: &Servers, id: TaskId) -> Record {
    servers.store.record(id).await.unwrap().expect("a record")
}

const MOVED: Rerouted = Rerouted { moved: 1, skipped: 0, hidden: 0 };
const SKIPPED: Rerouted = Rerouted { moved: 0, skipped: 1, hidden: 0 };
const HIDDEN: Rerouted = Rerouted { moved: 0, skipped: 0, hidden: 1 };

pub async fn inv_1_inv_2_a_rerouted_task_runs_once_from_its_new_queue(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let servers = worker.servers.clone();
    let fence = lead(&servers).await;
    let message = offer_one(&servers, Priority::P4).await;
    let before = record(&servers, message.id).await;
    let is_readable = servers.broker.can_peek(Queue::P4);
    let expected = if is_readable { MOVED } else { HIDDEN };
    assert_eq!(send(&servers, &before, Queue::P1, true).await, expected);
    assert_eq!(record(&servers, message.id).await.queue, Queue::P4, "a dry run changes nothing");
    assert_eq!(send(&servers, &before, Queue::P1, false).await, expected);
    if !is_readable {
        assert_eq!(worker.take_one().await.task.id, message.id, "it was left alone");
        return;
    }
    let after = record(&servers, message.id).await;
    assert_eq!((after.state, after.queue, after.generation), (State::Scheduled, Queue::P1, 1));
    assert_eq!(send(&servers, &after, Queue::P1, false).await, SKIPPED, "it is there");
    // The message on the old queue is dropped.
    assert_drained(&mut worker, Priority::P4).await;
    assert_eq!(promote(&servers, fence).await, 1);
    let taken = worker.take_one().await;
    assert_eq!((taken.task.id, taken.task.queue(), taken.claimed.queue), (message.id, Queue::P1, Queue::P1));
    assert_eq!(taken.task.payload, message.task().unwrap().payload);
    assert_eq!(
        send(&servers, &record(&servers, message.id).await, Queue::P4, false).await,
        SKIPPED,
        "it runs"
    );
    assert_eq!(
        send(&servers, &after, Queue::P4, false).await,
        SKIPPED,
        "it ran meanwhile, or its entry is gone"
    );
    assert!(worker.finish(&taken, completed()).await);
    assert_drained(&mut worker, Priority::P1).await;
    assert_drained(&mut worker, Priority::P4).await;
    assert_eq!(state(&servers, message.id).await, State::Completed);
}

pub async fn a_rerouted_delayed_task_keeps_its_time(fixture: &dyn Fixture) {
    let worker = Worker::start(fixture).await;
    let servers = &worker.servers;
    let later = message(Priority::P4);
    let at = Timestamp::now() + HOUR;
    offer_at(servers, &later, at).await;
    for (times, to) in [(1, Queue::P0), (2, Queue::P6)] {
        assert_eq!(send(servers, &record(servers, later.id).await, to, false).await, MOVED);
        let after = record(servers, later.id).await;
        assert_eq!((after.state, after.queue, after.due_at), (State::Scheduled, to, Some(at)));
        let entries = servers.store.scheduled(None, 10).await.unwrap().items;
        assert_eq!(
            entries.iter().map(|entry| (entry.generation, entry.queue)).collect::<Vec<_>>(),
            [(times, to)]
        );
    }
}

pub async fn a_search_looks_inside_of_tasks_wherever_they_are(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let servers = worker.servers.clone();
    let (broker, store) = (&*servers.broker, &*servers.store);
    let make = |change: fn(&mut Task)| {
        message_with(Priority::P4, |task| {
            task.session = Some("s1".into());
            task.payload = Payload::encode("to Ann").unwrap();
            change(task);
        })
    };
    let [dies, runs] = [make(|_| ()), make(|task| drop(task.meta.insert("origin".into(), "web".into())))];
    offer(&servers, std::slice::from_ref(&dies)).await;
    let taken = worker.take_one().await;
    assert!(worker.finish(&taken, dead(&taken, DeadReason::Fatal)).await);
    offer(&servers, std::slice::from_ref(&runs)).await;
    let running = worker.take_one().await;
    let [queued, later] = [make(|_| ()), make(|_| ())];
    offer(&servers, &[queued.clone(), message(Priority::P4)]).await;
    offer_at(&servers, &later, Timestamp::now() + HOUR).await;
    let is_readable = broker.can_peek(Queue::P4);
    let find = async |inside: Inside, limit: usize| {
        let mut found = BTreeSet::new();
        let mut hidden = 0;
        let mut cursor = None;
        loop {
            let filter = RecordFilter::default();
            let page = search(store, broker, &filter, &inside, cursor.as_deref(), limit).await.unwrap();
            assert!(page.found.items.len() <= limit && page.found.looked_at <= 10);
            found.extend(page.found.items.iter().map(|seen| seen.record.id));
            hidden += page.hidden;
            cursor = page.found.next;
            if cursor.is_none() {
                return (found, hidden);
            }
        }
    };
    let hidden = if is_readable { 0 } else { 3 };
    let expected = |of: &[&Message]| {
        let readable = of.iter().filter(|message| is_readable || ![queued.id, runs.id].contains(&message.id));
        readable.map(|message| message.id).collect::<BTreeSet<_>>()
    };
    let all = [&dies, &runs, &queued, &later];
    for limit in [1, 2, 100] {
        let session = Inside { session: Some("s1".into()), ..Inside::default() };
        assert_eq!(find(session, limit).await, (expected(&all), hidden));
        let text = Inside { text: Some("TO ANN".into()), ..Inside::default() };
        assert_eq!(find(text, limit).await, (expected(&all), hidden));
        let tag = Inside { tag: Some("origin=web".into()), ..Inside::default() };
        assert_eq!(find(tag, limit).await, (expected(&[&runs]), hidden));
    }
    assert!(worker.finish(&running, completed()).await);
}
