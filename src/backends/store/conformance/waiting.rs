//! Waiting for a task to end.

use super::*;

pub async fn wakes_when_another_handle_settles(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let waiter = fixture.store().await;
    let worker = worker(&*store).await;
    let message = admit(&*store, Priority::P0).await;
    let claimed = start(&*store, worker, &message).await;
    let id = message.id;
    let waiting = tokio::spawn(async move { waiter.wait(id, HOUR).await.unwrap().unwrap() });
    tokio::task::yield_now().await;
    assert!(settle(&*store, worker, claimed, completed()).await);
    let record = waiting.await.unwrap();
    assert_eq!(record.state, State::Completed);
    assert_eq!(record.result.unwrap().decode::<String>().unwrap(), "done");
    assert_eq!(
        store.wait(id, HOUR).await.unwrap().unwrap().state,
        State::Completed,
        "at once, when it is over"
    );
}

pub async fn wakes_for_every_end(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let waiter = fixture.store().await;
    let worker = worker(&*store).await;
    for end in 0..4 {
        let message = admit(&*store, Priority::P0).await;
        let id = message.id;
        let waiter = waiter.clone();
        let waiting = tokio::spawn(async move { waiter.wait(id, HOUR).await.unwrap().unwrap().state });
        tokio::task::yield_now().await;
        let expected = match end {
            0 => {
                store.cancel(id).await.unwrap();
                State::Cancelled
            }
            1 => {
                store.add_dead_letters(&[letter(&message, DeadReason::Expired)]).await.unwrap();
                State::Dead
            }
            2 => {
                let claimed = start(&*store, worker, &message).await;
                settle(&*store, worker, claimed, End::Dead(letter(&message, DeadReason::Fatal))).await;
                State::Dead
            }
            _ => {
                let claimed = start(&*store, worker, &message).await;
                settle(&*store, worker, claimed, End::Cancelled).await;
                State::Cancelled
            }
        };
        assert_eq!(waiting.await.unwrap(), expected);
    }
}

pub async fn returns_the_record_as_it_stands_at_the_timeout(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let message = admit(&*store, Priority::P0).await;
    for patience in [Duration::ZERO, Duration::from_millis(50)] {
        assert_eq!(store.wait(message.id, patience).await.unwrap().unwrap().state, State::Queued);
        assert!(store.wait(TaskId::new(), patience).await.unwrap().is_none());
    }
}

pub async fn a_dropped_wait_disturbs_no_other(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let message = admit(&*store, Priority::P0).await;
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            let id = message.id;
            tokio::spawn(async move { store.wait(id, HOUR).await.unwrap().unwrap().state })
        })
        .collect();
    for patience in 0..5 {
        let _ = tokio::time::timeout(Duration::from_millis(patience), store.wait(message.id, HOUR)).await;
    }
    waiting[0].abort();
    let claimed = start(&*store, worker, &message).await;
    assert!(settle(&*store, worker, claimed, completed()).await);
    for waiting in waiting.into_iter().skip(1) {
        assert_eq!(waiting.await.unwrap(), State::Completed);
    }
}
