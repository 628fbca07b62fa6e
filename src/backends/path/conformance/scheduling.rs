//! What waits for its time.

use super::*;
use crate::store::StoreError;

pub async fn a_delayed_task_waits_until_it_is_promoted(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let fence = lead(&worker.servers).await;
    let due = message(Priority::P1);
    let later = message(Priority::P1);
    offer_at(&worker.servers, &due, Timestamp::now()).await;
    offer_at(&worker.servers, &later, Timestamp::now() + HOUR).await;
    assert_drained(&mut worker, Priority::P1).await;
    assert_eq!(state(&worker.servers, due.id).await, State::Scheduled);
    assert_eq!(promote(&worker.servers, fence).await, 1);
    assert_eq!(state(&worker.servers, due.id).await, State::Queued);
    let taken = worker.take_one().await;
    assert_eq!(*taken.task, due.task().unwrap());
    assert!(worker.finish(&taken, completed()).await);
    assert_drained(&mut worker, Priority::P1).await;
    assert_eq!(state(&worker.servers, later.id).await, State::Scheduled);
}

pub async fn a_promotion_is_limited_and_says_when_the_next_is_due(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let fence = lead(&worker.servers).await;
    let messages = Priority::ALL.map(message);
    for (message, late) in messages.iter().zip([3, 2, 1, 4, 5, 6, 7]) {
        let at = Timestamp::from_millis(Timestamp::now().as_millis() - late * 1_000);
        offer_at(&worker.servers, message, at).await;
    }
    let later = message(Priority::P4);
    let at = Timestamp::now() + HOUR;
    offer_at(&worker.servers, &later, at).await;
    assert_eq!(worker.servers.path.promote(fence, 4).await.unwrap().moved, 4);
    let earliest = sorted(sent(&messages[3..]));
    assert_eq!(sorted(ids(&worker.take(4).await)), earliest, "the earliest first");
    assert_eq!(worker.servers.path.promote(fence, 100).await.unwrap().moved, 3);
    worker.take(3).await;
    let none = worker.servers.path.promote(fence, 100).await.unwrap();
    assert_eq!((none.moved, none.left, none.next), (0, 0, Some(at)));
}

pub async fn a_stale_fence_moves_nothing(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let old = lead(&worker.servers).await;
    worker.servers.store.resign(old).await.unwrap();
    let fence = lead(&worker.servers).await;
    let due = message(Priority::P4);
    offer_at(&worker.servers, &due, Timestamp::now()).await;
    let refused = worker.servers.path.promote(old, 100).await;
    assert!(matches!(refused, Err(PathError::Store(StoreError::Fenced { .. }))), "{refused:?}");
    assert_eq!(state(&worker.servers, due.id).await, State::Scheduled);
    assert_drained(&mut worker, Priority::P4).await;
    assert_eq!(promote(&worker.servers, fence).await, 1);
    assert_eq!(worker.take_one().await.task.id, due.id);
}

/// The critical lane's queue of P1 is full, and the broker of the other lanes is away.
pub async fn what_cannot_be_promoted_holds_up_no_urgent_task(fixture: &dyn Fixture) {
    let servers = fixture.servers().await;
    let fence = lead(&servers).await;
    let due = |seconds: u64| Timestamp::from_millis(Timestamp::now().as_millis() - 1_000 * seconds);
    for priority in [Priority::P1, Priority::P4] {
        for _ in 0..4 * SMALL_LIMIT {
            offer_at(&servers, &message(priority), due(60)).await;
        }
    }
    let urgent = message(Priority::P0);
    offer_at(&servers, &urgent, due(1)).await;
    let promoted = servers.path.promote(fence, 10).await.unwrap();
    assert_eq!(promoted.moved, SMALL_LIMIT as usize + 1, "{promoted:?}");
    assert!(promoted.left > 0 && promoted.refusal.is_some(), "{promoted:?}");
    assert_eq!(state(&servers, urgent.id).await, State::Queued);
}

pub async fn a_full_queue_keeps_due_tasks_in_the_set(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let fence = lead(&worker.servers).await;
    let messages: Vec<Message> = (0..100 * SMALL_LIMIT).map(|_| message(Priority::P4)).collect();
    let at = Timestamp::now();
    let tasks: Vec<_> =
        messages.iter().map(|message| Admission { at: Some(at), ..admission(message) }).collect();
    assert!(worker.servers.path.offer(&tasks).await.iter().all(|offered| matches!(offered, Offered::New)));
    let mut moved = 0;
    let left = loop {
        let promoted = worker.servers.path.promote(fence, 10).await.unwrap();
        moved += promoted.moved;
        if promoted.left > 0 {
            assert!(promoted.refusal.is_some(), "it says why");
            break promoted.left;
        }
    };
    assert!(moved >= SMALL_LIMIT as usize && left > 0);
    let taken = worker.take(moved).await;
    for taken in &taken {
        assert!(worker.finish(taken, completed()).await);
    }
    let scheduled = worker.servers.store.scheduled(None, messages.len()).await.unwrap().items;
    assert_eq!(scheduled.len(), messages.len() - moved, "INV-1: nothing is lost");
}
