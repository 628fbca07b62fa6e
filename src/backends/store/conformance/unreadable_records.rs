//! Records that cannot be read, and the walk over unfinished tasks.

use super::*;
use crate::backend::{StoredItem, Unreadable};

async fn listed(store: &dyn Store) -> Vec<TaskId> {
    let page = store.records(&RecordFilter::default(), None, 100).await.unwrap();
    page.items.iter().map(|record| record.id).collect()
}

async fn unreadable(store: &dyn Store) -> Vec<TaskId> {
    store.unreadable(&[]).await.unwrap().iter().filter_map(Unreadable::task).collect()
}

pub async fn an_unreadable_record_costs_its_own_task_alone(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let [whole, garbled] = [admit(&*store, Priority::P0).await, admit(&*store, Priority::P0).await];
    fixture.garble(Garbled::Record(garbled.id)).await;
    assert_eq!(listed(&*store).await, [whole.id], "lists skip it");
    assert!(store.record(garbled.id).await.unwrap().is_none());
    let found = [Unreadable::new(StoredItem::Record, *garbled.id.as_bytes())];
    for _ in 0..2 {
        assert_eq!(store.unreadable(&[]).await.unwrap(), found, "until it is marked as told");
    }
    assert_eq!(store.unreadable(&found).await.unwrap(), []);
}

pub async fn a_batch_goes_on_beside_an_unreadable_record(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let messages = [admit(&*store, Priority::P0).await, admit(&*store, Priority::P0).await];
    fixture.garble(Garbled::Record(messages[0].id)).await;
    let outcomes = store.claim(worker, &messages.each_ref().map(claim_of), false).await.unwrap();
    let tokens = [0, 1].map(|index| match outcomes[index] {
        ClaimOutcome::Run { token, .. } => token,
        outcome => panic!("{outcome:?}"),
    });
    assert_eq!(unreadable(&*store).await, [messages[0].id]);
    fixture.garble(Garbled::Record(messages[0].id)).await;
    let ends =
        [0, 1].map(|index| Settlement::uncounted(claimed(&messages[index], tokens[index]), completed()));
    assert_eq!(store.settle(worker, &ends).await.unwrap(), [false, true], "its owner is not known any more");
    assert_eq!(store.end_lease(worker, None).await.unwrap(), []);
    assert_eq!(store.cancel(messages[0].id).await.unwrap(), Cancelled::Unknown);
}

pub async fn a_task_whose_record_was_set_aside_can_be_enqueued_again(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let message = message(Priority::P4);
    let task = Admission { unique_key: Some("once".into()), ..admission(&message) };
    store.admit(std::slice::from_ref(&task)).await.unwrap();
    fixture.garble(Garbled::Record(message.id)).await;
    assert_eq!(store.wait(message.id, Duration::ZERO).await.unwrap().map(|record| record.id), None);
    assert_eq!(store.admit(std::slice::from_ref(&task)).await.unwrap(), [Admitted::New]);
    assert_eq!(state(&*store, &message).await, State::Queued);
}

pub async fn a_walk_over_unfinished_tasks_sets_aside_what_it_cannot_read(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let [waits, garbled, runs, over] =
        [0; 4].map(|_| message(Priority::P1)).map(|message| (admission(&message), message));
    let delayed = message(Priority::P5);
    let entry = Admission { at: Some(Timestamp::now() + HOUR), ..admission(&delayed) };
    store.admit(&[waits.0, garbled.0, runs.0, over.0, entry]).await.unwrap();
    let running = start(&*store, worker, &runs.1).await;
    let claimed = start(&*store, worker, &over.1).await;
    assert!(settle(&*store, worker, claimed, completed()).await);
    fixture.garble(Garbled::Record(garbled.1.id)).await;
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.unfinished(cursor.as_deref(), 2).await.unwrap();
        seen.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    seen.sort_by_key(|task| task.id);
    seen.dedup();
    let task = |message: &Message, state, worker: Option<ProcessId>, scheduled| UnfinishedTask {
        id: message.id,
        state,
        queue: message.queue,
        generation: 0,
        attempt: 0,
        enqueued_at: message.enqueued_at,
        worker,
        token: worker.map_or(0, |_| running.token),
        scheduled,
    };
    let expected = [
        task(&waits.1, State::Queued, None, false),
        task(&runs.1, State::Running, Some(worker), false),
        task(&delayed, State::Scheduled, None, true),
    ];
    let mut expected = expected.to_vec();
    expected.sort_by_key(|task| task.id);
    assert_eq!(seen, expected);
    assert_eq!(unreadable(&*store).await, [garbled.1.id]);
}
