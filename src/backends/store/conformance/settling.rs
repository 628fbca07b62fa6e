//! How attempts end, and what is left of a claim that was lost.

use super::*;

pub async fn inv_5_a_completed_task_does_not_run_again(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let message = admit(&*store, Priority::P3).await;
    let claimed = start(&*store, worker, &message).await;
    // `keep` is shorter than the dedupe window, which holds all the same.
    let end = End::Completed { result: Payload::encode(&42).unwrap(), keep: Duration::ZERO };
    assert!(settle(&*store, worker, claimed, end).await);
    assert_eq!(claim(&*store, worker, &message).await, ClaimOutcome::Drop);
    assert_eq!(claim(&*fixture.store().await, ProcessId::new(), &message).await, ClaimOutcome::Drop);
    let record = store.record(message.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.worker), (State::Completed, None));
    assert_eq!(record.result.unwrap().decode::<i32>().unwrap(), 42);
    assert!(record.finished_at.unwrap() >= record.started_at.unwrap());
}

pub async fn inv_2_a_lost_claim_settles_nothing(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let zombie = worker(&*store).await;
    let heir = worker(&*store).await;
    let message = admit(&*store, Priority::P3).await;
    let old = start(&*store, zombie, &message).await;
    store.end_lease(zombie, None).await.unwrap();
    let new = start(&*store, heir, &message).await;
    let at = Timestamp::now();
    let ends = [
        completed(),
        retry(&message, at),
        End::Dead(letter(&message, DeadReason::Fatal)),
        End::Cancelled,
        End::Released,
    ];
    for end in ends {
        assert!(!settle(&*store, zombie, old, end.clone()).await, "{end:?}");
        let record = store.record(message.id).await.unwrap().unwrap();
        assert_eq!(
            (record.state, record.worker, record.generation),
            (State::Running, Some(heir), 0),
            "{end:?}"
        );
    }
    assert!(store.dead_letter(message.id).await.unwrap().is_none());
    assert!(store.scheduled(None, 10).await.unwrap().items.is_empty());
    assert!(settle(&*store, heir, new, completed()).await);
}

pub async fn only_the_first_settlement_counts(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let message = admit(&*store, Priority::P3).await;
    let claimed = start(&*store, worker, &message).await;
    assert!(settle(&*store, worker, claimed, completed()).await);
    assert!(!settle(&*store, worker, claimed, End::Dead(letter(&message, DeadReason::Fatal))).await);
    assert_eq!(state(&*store, &message).await, State::Completed);
    let unknown = Claimed { id: TaskId::new(), ..claimed };
    assert!(!settle(&*store, worker, unknown, completed()).await);
}

pub async fn a_retry_waits_in_the_schedule_set(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let message = admit(&*store, Priority::P3).await;
    let claimed = start(&*store, worker, &message).await;
    let at = Timestamp::now() + HOUR;
    assert!(settle(&*store, worker, claimed, retry(&message, at)).await);
    let record = store.record(message.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.attempt, record.generation), (State::Scheduled, 1, 1));
    assert_eq!((record.due_at, record.failure, record.worker), (Some(at), Some(failure()), None));
    let entry = &store.scheduled(None, 10).await.unwrap().items[0];
    assert_eq!((entry.id, entry.generation, entry.at), (message.id, 1, at));
}

pub async fn a_dead_task_has_its_letter(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let message = admit(&*store, Priority::P3).await;
    let claimed = start(&*store, worker, &message).await;
    let letter = DeadLetter { tenant: Some("acme".into()), ..letter(&message, DeadReason::Fatal) };
    assert!(settle(&*store, worker, claimed, End::Dead(letter.clone())).await);
    let record = store.record(message.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.failure), (State::Dead, Some(failure())));
    assert_eq!(store.dead_letter(message.id).await.unwrap(), Some(letter));
    assert_eq!(claim(&*store, worker, &message).await, ClaimOutcome::Drop);
}

pub async fn inv_8_released_costs_no_attempt(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let message = admit(&*store, Priority::P3).await;
    for _ in 0..5 {
        let leaving = worker(&*store).await;
        let claimed = start(&*store, leaving, &message).await;
        assert!(settle(&*store, leaving, claimed, End::Released).await);
        let record = store.record(message.id).await.unwrap().unwrap();
        assert_eq!((record.state, record.attempt, record.crashes), (State::Queued, 0, 0));
        assert_eq!((record.generation, record.worker), (0, None));
        store.forget(leaving).await.unwrap();
    }
    let worker = worker(&*store).await;
    assert!(matches!(claim(&*store, worker, &message).await, ClaimOutcome::Run { crashes: 0, .. }));
}

pub async fn a_token_is_never_given_twice(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let message = admit(&*store, Priority::P3).await;
    let first = start(&*store, worker, &message).await;
    assert!(settle(&*store, worker, first, End::Released).await);
    assert!(!settle(&*store, worker, first, completed()).await, "it was given back");
    let second = start(&*store, worker, &message).await;
    assert!(second.token > first.token);
    assert!(!settle(&*store, worker, first, completed()).await);
    assert!(settle(&*store, worker, second, completed()).await);
}

pub async fn answers_each_settlement_in_order(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let mut batch = Vec::new();
    for index in 0..10 {
        let message = admit(&*store, Priority::P3).await;
        let mut claimed = start(&*store, worker, &message).await;
        claimed.token += u64::from(index % 3 == 0);
        batch.push(Settlement::uncounted(claimed, completed()));
    }
    let answers = store.settle(worker, &batch).await.unwrap();
    let expected: Vec<_> = (0..10).map(|index| index % 3 != 0).collect();
    assert_eq!(answers, expected);
    assert!(store.settle(worker, &[]).await.unwrap().is_empty());
}

pub async fn a_result_is_forgotten_after_its_time(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let kept = admit(&*store, Priority::P3).await;
    let dead = admit(&*store, Priority::P3).await;
    let claimed = start(&*store, worker, &kept).await;
    assert!(settle(&*store, worker, claimed, completed()).await);
    let claimed = start(&*store, worker, &dead).await;
    assert!(settle(&*store, worker, claimed, End::Dead(letter(&dead, DeadReason::Fatal))).await);
    // Many later tasks give a store that forgets step by step every occasion to.
    for _ in 0..20 {
        admit(&*store, Priority::P3).await;
        beat(&*store, worker).await;
    }
    assert_eq!(state(&*store, &kept).await, State::Completed, "its hour is not over");
    assert_eq!(state(&*store, &dead).await, State::Dead);
    assert!(store.dead_letter(dead.id).await.unwrap().is_some());
}

pub async fn what_is_told_of_a_task_stays_with_its_record(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let told = |message: &Message| Story::write(&message.task().unwrap(), None, 1000);
    for end in [completed(), End::Cancelled] {
        let message = admit(&*store, Priority::P4).await;
        let retried = next_generation(&message, 1);
        let claimed = start(&*store, worker, &message).await;
        let end_of =
            |end, message| Settlement { story: told(message), ..Settlement::uncounted(claimed, end) };
        assert!(store.record(message.id).await.unwrap().unwrap().story().is_none());
        let failed = end_of(retry(&message, Timestamp::now()), &message);
        assert_eq!(store.settle(worker, &[failed]).await.unwrap(), [true]);
        let record = store.record(message.id).await.unwrap().unwrap();
        assert_eq!(record.waiting, Some(Waiting::Retrying));
        assert_eq!(record.failure, Some(failure()));
        assert_eq!(record.story, told(&message));

        let claimed = start(&*store, worker, &retried).await;
        let is_completed = matches!(end, End::Completed { .. });
        let ended = Settlement { story: told(&retried), ..Settlement::uncounted(claimed, end) };
        assert_eq!(store.settle(worker, &[ended]).await.unwrap(), [true]);
        let record = store.record(message.id).await.unwrap().unwrap();
        assert_eq!(record.result, is_completed.then(|| Payload::encode("done").unwrap()));
        assert_eq!(record.story, told(&retried));
        let story = record.story().unwrap();
        assert_eq!(story.into_payload(), Some(retried.task().unwrap().payload));
    }
    // The usual end of a task that never failed.
    let message = admit(&*store, Priority::P4).await;
    let claimed = start(&*store, worker, &message).await;
    let ended = Settlement { story: told(&message), ..Settlement::uncounted(claimed, completed()) };
    assert_eq!(store.settle(worker, &[ended]).await.unwrap(), [true]);
    let record = store.record(message.id).await.unwrap().unwrap();
    assert_eq!((record.result, record.story), (Some(Payload::encode("done").unwrap()), told(&message)));
}
