//! What cannot be read costs itself alone, and is told of once.

use super::*;
use crate::backend::{StoredItem, Unreadable};

async fn told(store: &dyn Store, what: StoredItem) -> Vec<Unreadable> {
    let found = store.unreadable(&[]).await.unwrap();
    assert!(found.iter().all(|found| found.what == what), "{found:?}");
    assert_eq!(store.unreadable(&found).await.unwrap(), [], "once");
    found
}

async fn told_of_one(store: &dyn Store, what: StoredItem, task: TaskId) {
    let found = told(store, what).await;
    assert_eq!(found.iter().map(Unreadable::task).collect::<Vec<_>>(), [Some(task)]);
}

fn entries(at: Timestamp) -> [Scheduled; 5] {
    [0, 1, 2, 3, 4]
        .map(|place| Scheduled { message: message(Priority::P4), at: at + Duration::from_millis(place) })
}

fn without(place: usize, entries: &[Scheduled]) -> Vec<TaskId> {
    let ids = entries.iter().map(|entry| entry.message.id).enumerate();
    ids.filter(|(index, _)| *index != place).map(|(_, id)| id).collect()
}

/// Reads all pages, however few of their rows can be read.
async fn listed(store: &dyn Store, limit: usize) -> Vec<TaskId> {
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.scheduled(cursor.as_deref(), limit).await.unwrap();
        seen.extend(page.items.iter().map(|entry| entry.id));
        cursor = page.next;
        if cursor.is_none() {
            return seen;
        }
    }
}

pub async fn an_unreadable_entry_of_the_schedule_set_costs_itself_alone(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let entries = entries(Timestamp::from_millis(1_000_000));
    store.schedule(&entries).await.unwrap();
    let garbled = entries[0].message.id;
    fixture.garble(Garbled::Entry(garbled)).await;
    let due = store.due(fence, 3).await.unwrap();
    let ids: Vec<TaskId> = due.messages.iter().map(|message| message.id).collect();
    assert_eq!(ids[..2], without(0, &entries)[..2]);
    let rest = store.due(fence, 10).await.unwrap();
    assert_eq!(rest.messages.iter().map(|message| message.id).collect::<Vec<_>>(), without(0, &entries));
    let keys: Vec<_> = rest.messages.iter().map(|message| (message.id, message.generation)).collect();
    store.promoted(fence, &keys).await.unwrap();
    let none = store.due(fence, 10).await.unwrap();
    assert_eq!((none.messages.len(), none.next), (0, None), "no call asks for it again");
    told_of_one(&*store, StoredItem::Entry, garbled).await;
    assert!(!store.run_now(garbled).await.unwrap());
}

pub async fn an_unreadable_entry_that_is_not_due_costs_itself_alone(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let entries = entries(Timestamp::now() + HOUR);
    store.schedule(&entries).await.unwrap();
    let garbled = entries[2].message.id;
    fixture.garble(Garbled::Entry(garbled)).await;
    assert_eq!(listed(&*store, 2).await, without(2, &entries));
    assert_eq!(listed(&*store, 1).await, without(2, &entries));
    told_of_one(&*store, StoredItem::Entry, garbled).await;
}

pub async fn a_task_whose_entry_was_set_aside_is_due_at_no_time(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let delayed = message(Priority::P4);
    let at = Timestamp::now() + HOUR;
    store.admit(&[Admission { at: Some(at), ..admission(&delayed) }]).await.unwrap();
    assert_eq!(store.record(delayed.id).await.unwrap().unwrap().due_at, Some(at));
    fixture.garble(Garbled::Entry(delayed.id)).await;
    assert_eq!(listed(&*store, 10).await, []);
    let record = store.record(delayed.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.due_at), (State::Scheduled, None));
    assert!(store.unfinished(None, 100).await.unwrap().items.iter().all(|task| !task.scheduled));
}

pub async fn an_unreadable_dead_letter_costs_itself_alone(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let letters = [0; 4].map(|_| letter(&message(Priority::P4), DeadReason::Fatal));
    for letter in &letters {
        store.add_dead_letters(std::slice::from_ref(letter)).await.unwrap();
    }
    let [first, second, third, _] = letters.each_ref().map(|letter| letter.message.id);
    fixture.garble(Garbled::DeadLetter(second)).await;
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.dead(&DeadFilter::default(), cursor.as_deref(), 1).await.unwrap();
        seen.extend(page.items.iter().map(|letter| letter.message.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    seen.sort_unstable();
    let mut whole: Vec<TaskId> =
        letters.iter().map(|letter| letter.message.id).filter(|id| *id != second).collect();
    whole.sort_unstable();
    assert_eq!(seen, whole);
    told_of_one(&*store, StoredItem::DeadLetter, second).await;
    fixture.garble(Garbled::DeadLetter(third)).await;
    assert_eq!(store.dead_letter(third).await.unwrap(), None);
    told_of_one(&*store, StoredItem::DeadLetter, third).await;
    let requeued = store.requeue(&[next_generation(&letters[0].message, 0)]).await.unwrap();
    assert_eq!(requeued, Requeued { taken: 1, kept: 0 });
    assert!(store.dead_letter(first).await.unwrap().is_none());
    assert_eq!(store.discard(&[letters[3].message.id]).await.unwrap(), 1);
}

pub async fn an_unreadable_journal_entry_costs_itself_alone(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let entry = |number: u64| Entry {
        topic: Topic::Alert,
        at: Timestamp::from_millis(number),
        subject: "voice".into(),
        body: serde_json::json!({ "number": number }),
    };
    store.append(None, &[entry(1), entry(2)]).await.unwrap();
    fixture.garble(Garbled::Journal(Topic::Alert)).await;
    store.append(None, &[entry(3)]).await.unwrap();
    let page = store.journal(Topic::Alert, None, None, 2).await.unwrap();
    assert_eq!(page.items, [entry(3), entry(2)]);
    let page = store.journal(Topic::Alert, None, page.next.as_deref(), 2).await.unwrap();
    assert_eq!((page.items, page.next), (vec![entry(1)], None));
    assert_eq!(told(&*store, StoredItem::Journal).await.len(), 1);
}

/// Of a worker that lives the next beat heals it: it loses nothing. Of a dead one it would make every look at
/// the registry fail.
pub async fn an_unreadable_heartbeat_costs_itself_alone(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let [whole, alive, dead] = [worker(&*store).await, worker(&*store).await, ProcessId::new()];
    store.beat(&beat_of(dead, SHORT)).await.unwrap();
    let message = admit(&*store, Priority::P4).await;
    let claimed = start(&*store, alive, &message).await;
    let listed = async || -> Vec<ProcessId> {
        let mut ids: Vec<_> =
            store.workers().await.unwrap().into_iter().map(|info| info.beat.worker).collect();
        ids.sort_unstable();
        ids
    };
    eventually(async || store.workers().await.unwrap().iter().any(|info| !info.alive)).await;
    fixture.garble(Garbled::Heartbeat(alive)).await;
    fixture.garble(Garbled::Heartbeat(dead)).await;
    assert_eq!(listed().await, [whole]);
    let found = told(&*store, StoredItem::Heartbeat).await;
    assert_eq!(
        found,
        [Unreadable::new(StoredItem::Heartbeat, *dead.as_bytes())],
        "a worker that lives is not accused"
    );
    assert!(matches!(claim(&*store, whole, &message).await, ClaimOutcome::Held { .. }));
    beat(&*store, alive).await;
    let mut both = [whole, alive];
    both.sort_unstable();
    assert_eq!(listed().await, both);
    assert!(settle(&*store, alive, claimed, completed()).await);
}
