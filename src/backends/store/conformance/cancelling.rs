//! Cancelling in every state.

use super::*;

pub async fn waiting_tasks_end_at_once(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let queued = admit(&*store, Priority::P4).await;
    let delayed = message(Priority::P4);
    store.admit(&[Admission { at: Some(Timestamp::now() + HOUR), ..admission(&delayed) }]).await.unwrap();
    // Waits on its queue by its record, and in the set by its message: a worker put it there for another one.
    let handed_on = admit(&*store, Priority::P4).await;
    let entry = Scheduled { message: handed_on.clone(), at: Timestamp::now() + HOUR };
    store.schedule(&[entry]).await.unwrap();
    for message in [queued, delayed, handed_on] {
        assert_eq!(store.cancel(message.id).await.unwrap(), Cancelled::Done);
        let record = store.record(message.id).await.unwrap().unwrap();
        assert_eq!(record.state, State::Cancelled);
        assert!(record.finished_at.is_some());
        assert_eq!(
            claim(&*store, worker, &message).await,
            ClaimOutcome::Drop,
            "its message is still on its way"
        );
    }
    assert!(store.scheduled(None, 10).await.unwrap().items.is_empty());
}

pub async fn a_running_task_is_signalled_through_its_worker(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let operator = fixture.store().await;
    let owner = worker(&*store).await;
    let other = worker(&*store).await;
    let message = admit(&*store, Priority::P4).await;
    let claimed = start(&*store, owner, &message).await;
    assert_eq!(operator.cancel(message.id).await.unwrap(), Cancelled::Signalled);
    assert_eq!(state(&*store, &message).await, State::Running, "until its handler has stopped");
    assert!(beat(&*store, other).await.cancel.is_empty());
    assert_eq!(beat(&*store, owner).await.cancel, [message.id]);
    assert!(settle(&*store, owner, claimed, End::Cancelled).await);
    assert_eq!(state(&*store, &message).await, State::Cancelled);
    assert_eq!(claim(&*store, other, &message).await, ClaimOutcome::Drop);
}

pub async fn finished_and_unknown_tasks_stay_as_they_are(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    assert_eq!(store.cancel(TaskId::new()).await.unwrap(), Cancelled::Unknown);
    for state in [State::Completed, State::Dead, State::Cancelled] {
        let message = admit(&*store, Priority::P4).await;
        let end = match state {
            State::Completed => completed(),
            State::Dead => End::Dead(letter(&message, DeadReason::Fatal)),
            _ => End::Cancelled,
        };
        let claimed = start(&*store, worker, &message).await;
        assert!(settle(&*store, worker, claimed, end).await);
        assert_eq!(store.cancel(message.id).await.unwrap(), Cancelled::TooLate(state));
    }
}

/// However the signalled attempt ends without being finished: it fails, is given back, or takes its worker
/// down.
pub async fn a_signalled_task_never_starts_again(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let heir = worker(&*store).await;
    for way in 0..3 {
        let owner = worker(&*store).await;
        let message = admit(&*store, Priority::P4).await;
        let claimed = start(&*store, owner, &message).await;
        assert_eq!(store.cancel(message.id).await.unwrap(), Cancelled::Signalled);
        match way {
            0 => assert!(settle(&*store, owner, claimed, retry(&message, Timestamp::now())).await),
            1 => assert!(settle(&*store, owner, claimed, End::Released).await),
            _ => drop(store.end_lease(owner, None).await.unwrap()),
        }
        assert_eq!(claim(&*store, heir, &message).await, ClaimOutcome::Drop, "way {way}");
        assert_eq!(state(&*store, &message).await, State::Cancelled, "way {way}");
    }
    assert!(store.scheduled(None, 10).await.unwrap().items.is_empty());
}
