//! The schedule set: due times, promotion under a fence, waiting for the next one.

use super::*;

fn entry(at: Timestamp) -> Scheduled {
    Scheduled { message: message(Priority::P4), at }
}

fn long_ago(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + millis)
}

fn ids(due: &Due) -> Vec<TaskId> {
    due.messages.iter().map(|message| message.id).collect()
}

fn keys(messages: &[Message]) -> Vec<(TaskId, u32)> {
    messages.iter().map(|message| (message.id, message.generation)).collect()
}

pub async fn due_comes_earliest_first_and_stays_until_promoted(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let due = store.due(fence, 10).await.unwrap();
    assert!(due.messages.is_empty() && due.next.is_none());
    let later = Timestamp::now() + HOUR;
    let entries = [entry(long_ago(3)), entry(later), entry(long_ago(1)), entry(long_ago(2))];
    store.schedule(&entries).await.unwrap();
    let [third, _, first, second] = entries.clone().map(|entry| entry.message.id);
    for _ in 0..2 {
        let due = store.due(fence, 2).await.unwrap();
        assert_eq!(ids(&due), [first, second], "they stay");
        assert_eq!(due.next, Some(long_ago(3)), "the next one after them");
        assert!(due.messages[0] == entries[2].message, "as it was sent");
    }
    let due = store.due(fence, 10).await.unwrap();
    assert_eq!((ids(&due), due.next), (vec![first, second, third], Some(later)));
    store.promoted(fence, &keys(&due.messages)).await.unwrap();
    store.promoted(fence, &keys(&due.messages)).await.unwrap();
    let due = store.due(fence, 10).await.unwrap();
    assert_eq!((due.messages.len(), due.next), (0, Some(later)));
}

pub async fn entries_move_to_a_new_time(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let first = entry(Timestamp::now() + HOUR);
    let next = Scheduled { message: next_generation(&first.message, 1), at: first.at };
    store.schedule(&[first.clone(), next.clone()]).await.unwrap();
    assert!(store.due(fence, 10).await.unwrap().messages.is_empty());
    store.schedule(&[Scheduled { at: long_ago(0), ..first.clone() }]).await.unwrap();
    let due = store.due(fence, 10).await.unwrap();
    assert!(
        due.messages == [first.message],
        "moved, not doubled; the other generation is an entry of its own"
    );
    assert_eq!(store.scheduled(None, 10).await.unwrap().items.len(), 2);
    assert!(store.record(next.message.id).await.unwrap().is_none(), "records are left as they are");
}

/// INV-1: a promoted message came to a worker while another one ran its task, so that it is to be looked at
/// again later. The promoter's late word about the first delivery must not remove that.
pub async fn an_entry_scheduled_again_outlives_promotion(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let first = entry(long_ago(0));
    store.schedule(std::slice::from_ref(&first)).await.unwrap();
    let due = store.due(fence, 10).await.unwrap();
    let again = Scheduled { at: Timestamp::now() + HOUR, ..first };
    store.schedule(std::slice::from_ref(&again)).await.unwrap();
    store.promoted(fence, &keys(&due.messages)).await.unwrap();
    let left = store.scheduled(None, 10).await.unwrap().items;
    assert_eq!(left.iter().map(|entry| entry.at).collect::<Vec<_>>(), [again.at]);
}

pub async fn promoted_tasks_are_queued(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let message = message(Priority::P6);
    store.admit(&[Admission { at: Some(long_ago(0)), ..admission(&message) }]).await.unwrap();
    let due = store.due(fence, 10).await.unwrap();
    assert_eq!(state(&*store, &message).await, State::Scheduled, "until it is on its queue");
    store.promoted(fence, &keys(&due.messages)).await.unwrap();
    let record = store.record(message.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.due_at), (State::Queued, None));
    assert!(store.scheduled(None, 10).await.unwrap().items.is_empty());
}

pub async fn promotion_leaves_later_generations_alone(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let worker = worker(&*store).await;
    let message = message(Priority::P6);
    store.admit(&[Admission { at: Some(long_ago(0)), ..admission(&message) }]).await.unwrap();
    store.due(fence, 10).await.unwrap();
    // Published, run and failed before the promoter could say so.
    let claimed = start(&*store, worker, &message).await;
    assert!(settle(&*store, worker, claimed, retry(&message, Timestamp::now() + HOUR)).await);
    store.promoted(fence, &[(message.id, 0)]).await.unwrap();
    let record = store.record(message.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.generation), (State::Scheduled, 1));
    assert_eq!(store.scheduled(None, 10).await.unwrap().items.len(), 1);
    assert!(store.due(fence, 10).await.unwrap().messages.is_empty());
}

pub async fn run_now_makes_an_entry_due(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let waiting = entry(Timestamp::now() + HOUR);
    store.schedule(&[waiting.clone(), entry(Timestamp::now() + HOUR)]).await.unwrap();
    assert!(!store.run_now(TaskId::new()).await.unwrap());
    assert!(store.run_now(waiting.message.id).await.unwrap());
    assert_eq!(ids(&store.due(fence, 10).await.unwrap()), [waiting.message.id]);
}

pub async fn a_stale_fence_is_refused(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let old = lead(&*store).await;
    store.resign(old).await.unwrap();
    let new = lead(&*store).await;
    assert!(new.number > old.number);
    let waiting = entry(long_ago(0));
    store.schedule(std::slice::from_ref(&waiting)).await.unwrap();
    for error in [
        store.due(old, 10).await.unwrap_err(),
        store.promoted(old, &[(waiting.message.id, 0)]).await.unwrap_err(),
    ] {
        match error {
            StoreError::Fenced { held, current } => assert_eq!((held, current), (old.number, new.number)),
            error => panic!("{error}"),
        }
    }
    assert_eq!(ids(&store.due(new, 10).await.unwrap()), [waiting.message.id], "nothing was removed");
}

pub async fn wait_due_wakes_for_an_earlier_entry(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let other = fixture.store().await;
    let worker = worker(&*other).await;
    let far = Timestamp::now() + HOUR;
    store.schedule(&[entry(far)]).await.unwrap();
    for (way, next) in [Some(far), Some(far), Some(far), None].into_iter().enumerate() {
        let waiting = {
            let store = store.clone();
            tokio::spawn(async move { store.wait_due(next).await })
        };
        tokio::task::yield_now().await;
        let message = message(Priority::P4);
        match way {
            0 => other.schedule(&[entry(Timestamp::now())]).await.unwrap(),
            1 => drop(
                other
                    .admit(&[Admission { at: Some(Timestamp::now()), ..admission(&message) }])
                    .await
                    .unwrap(),
            ),
            _ => {
                let claimed = start(&*other, worker, &message).await;
                assert!(settle(&*other, worker, claimed, retry(&message, Timestamp::now())).await);
            }
        }
        waiting.await.unwrap().unwrap();
    }
}

pub async fn wait_due_returns_at_its_time(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let at = Timestamp::now() + SHORT;
    store.schedule(&[entry(at)]).await.unwrap();
    store.wait_due(Some(at)).await.unwrap();
    eventually(async || Timestamp::now() >= at).await;
    let fence = lead(&*store).await;
    assert_eq!(store.due(fence, 10).await.unwrap().messages.len(), 1);
}

pub async fn pages_through_all_entries(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    // Many share a time, so that a page ends between equals.
    let entries: Vec<_> = (0..25).map(|index| entry(Timestamp::now() + HOUR * (index / 10 + 1))).collect();
    store.schedule(&entries).await.unwrap();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.scheduled(cursor.as_deref(), 4).await.unwrap();
        assert!(page.items.len() <= 4);
        seen.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert!(seen.is_sorted_by_key(|entry| entry.at), "earliest first");
    let mut listed: Vec<_> = seen.iter().map(|entry| entry.id).collect();
    let mut expected: Vec<_> = entries.iter().map(|entry| entry.message.id).collect();
    listed.sort();
    expected.sort();
    assert!(listed == expected, "each entry once");
}

pub async fn an_entry_can_be_looked_at(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let message = message(Priority::P4);
    let later = Timestamp::now() + HOUR;
    let delayed = Admission { at: Some(later), ..admission(&message) };
    assert_eq!(store.admit(&[delayed]).await.unwrap(), [Admitted::New]);
    assert_eq!(store.record(message.id).await.unwrap().unwrap().waiting, Some(Waiting::Delayed));
    assert_eq!(store.entry(message.id, message.generation).await.unwrap(), Some(message.clone()));
    assert_eq!(store.entry(message.id, message.generation + 1).await.unwrap(), None);
}
