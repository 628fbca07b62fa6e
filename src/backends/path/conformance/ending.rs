//! How attempts end.

use std::sync::Arc;

use super::{worker::any, *};
use crate::store::Cancelled;
use clawpool_core::figures::Step;

pub async fn inv_8_a_released_task_comes_again_without_an_attempt(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let message = offer_one(&worker.servers, Priority::P2).await;
    let first = worker.take_one().await;
    assert!(worker.finish(&first, End::Released).await);
    let again = worker.take_one().await;
    assert_eq!(again.task, first.task, "the same generation, and no attempt");
    assert!(again.claimed.token > first.claimed.token && again.crashes == 0);
    let record = worker.servers.store.record(message.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.attempt, record.generation), (State::Running, 0, 0));
    assert!(!worker.finish(&first, completed()).await, "INV-2: it was given back");
    assert!(worker.finish(&again, completed()).await);
    assert_drained(&mut worker, Priority::P2).await;
}

pub async fn a_retry_waits_in_the_schedule_set(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let fence = lead(&worker.servers).await;
    let message = offer_one(&worker.servers, Priority::P4).await;
    let first = worker.take_one().await;
    assert!(worker.finish(&first, retry(&first, Timestamp::now())).await);
    let record = worker.servers.store.record(message.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.generation, record.attempt), (State::Scheduled, 1, 1));
    assert_drained(&mut worker, Priority::P4).await;
    assert_eq!(promote(&worker.servers, fence).await, 1);
    let second = worker.take_one().await;
    assert_eq!((second.task.id, second.task.generation, second.task.attempt), (message.id, 1, 1));
    assert!(second.claimed.token > first.claimed.token);
    assert!(worker.finish(&second, completed()).await);
    assert_eq!(promote(&worker.servers, fence).await, 0);
    worker.leave_nothing().await;
}

pub async fn a_task_that_is_put_off_comes_when_it_is_due(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let fence = lead(&worker.servers).await;
    let message = offer_one(&worker.servers, Priority::P6).await;
    let first = worker.take_one().await;
    assert!(worker.finish(&first, put_off(&first, Timestamp::now() + HOUR)).await);
    assert_eq!(promote(&worker.servers, fence).await, 0);
    assert_drained(&mut worker, Priority::P6).await;
    assert!(worker.servers.store.run_now(message.id).await.unwrap());
    assert_eq!(promote(&worker.servers, fence).await, 1);
    let again = worker.take_one().await;
    assert_eq!(again.task, first.task, "the same generation, and no attempt");
    assert!(again.claimed.token > first.claimed.token);
    assert!(worker.finish(&again, completed()).await);
    worker.leave_nothing().await;
}

pub async fn a_dead_task_has_its_letter(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let message = offer_one(&worker.servers, Priority::P0).await;
    let taken = worker.take_one().await;
    assert!(worker.finish(&taken, dead(&taken, DeadReason::Fatal)).await);
    let letter = worker.servers.store.dead_letter(message.id).await.unwrap().expect("a letter");
    assert_eq!((letter.reason, letter.message), (DeadReason::Fatal, message.clone()));
    assert_eq!(state(&worker.servers, message.id).await, State::Dead);
    worker.leave_nothing().await;
}

pub async fn a_task_cancelled_while_it_waits_is_never_taken(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let fence = lead(&worker.servers).await;
    for priority in [Priority::P1, Priority::P3, Priority::P5] {
        let waiting = offer_one(&worker.servers, priority).await;
        let delayed = message(priority);
        offer_at(&worker.servers, &delayed, Timestamp::now()).await;
        for id in [waiting.id, delayed.id] {
            assert_eq!(worker.servers.store.cancel(id).await.unwrap(), Cancelled::Done);
        }
        promote(&worker.servers, fence).await;
        assert_drained(&mut worker, priority).await;
        assert_eq!(state(&worker.servers, waiting.id).await, State::Cancelled);
    }
    worker.leave_nothing().await;
}

pub async fn a_task_cancelled_while_it_runs_ends_so(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let ends: [fn(&TakenTask) -> End; 4] = [
        |_| End::Released,
        |_| End::Cancelled,
        |taken| retry(taken, Timestamp::now()),
        |taken| put_off(taken, Timestamp::now()),
    ];
    let fence = lead(&worker.servers).await;
    for end in ends {
        let message = offer_one(&worker.servers, Priority::P4).await;
        let taken = worker.take_one().await;
        assert_eq!(worker.servers.store.cancel(message.id).await.unwrap(), Cancelled::Signalled);
        assert!(worker.finish(&taken, end(&taken)).await);
        assert_eq!(state(&worker.servers, message.id).await, State::Cancelled);
        promote(&worker.servers, fence).await;
        assert_drained(&mut worker, Priority::P4).await;
    }
}

pub async fn inv_2_an_old_token_ends_nothing_and_the_message_is_not_lost(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let mut other = Worker::start(fixture).await;
    let fence = lead(&other.servers).await;
    let message = offer_one(&worker.servers, Priority::P4).await;
    let first = worker.take_one().await;
    // What comes back is not for this one.
    worker.source.rest().await;
    // The leader takes it for lost here, and it is not.
    assert_eq!(worker.servers.path.disown(worker.id, &[first.claimed]).await.unwrap(), [true]);
    assert!(!worker.finish(&first, completed()).await, "INV-2");
    assert_ne!(state(&worker.servers, message.id).await, State::Completed);
    let again = other.take_promoted(fence).await;
    assert_eq!(again.task, first.task, "INV-1: it is not lost");
    for end in [completed(), End::Released, retry(&first, Timestamp::now()), dead(&first, DeadReason::Fatal)]
    {
        assert!(!worker.finish(&first, end).await, "INV-2");
    }
    let record = worker.servers.store.record(message.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.worker), (State::Running, Some(other.id)));
    assert!(other.finish(&again, completed()).await, "INV-5");
    assert_drained(&mut other, Priority::P4).await;
}

/// Its acknowledgement was lost, or it was published twice.
pub async fn inv_5_a_completed_task_that_comes_again_does_not_run(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    for priority in [Priority::P0, Priority::P2, Priority::P4] {
        let message = offer_one(&worker.servers, priority).await;
        let taken = worker.take_one().await;
        assert!(worker.finish(&taken, completed()).await);
        assert!(worker.servers.broker.publish(vec![message.clone()]).await[0].is_ok());
        assert_drained(&mut worker, priority).await;
        let record = worker.servers.store.record(message.id).await.unwrap().unwrap();
        assert_eq!((record.state, record.result), (State::Completed, Payload::encode("done").ok()));
    }
    worker.leave_nothing().await;
}

/// Whatever the lane, an end that is accepted counts in the window that is under way.
pub async fn an_accepted_end_adds_to_the_figures(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let before = Timestamp::now();
    for priority in [Priority::P0, Priority::P4] {
        offer_one(&worker.servers, priority).await;
        let taken = worker.take_one().await;
        let counters = [Arc::from("counted")].into();
        let attempt =
            Attempt { counters, ..Attempt::uncounted(taken.claimed, taken.receipt.clone(), completed()) };
        let twice = [attempt.clone(), attempt];
        assert_eq!(worker.servers.path.finish(worker.id, &twice).await.unwrap(), [true, false]);
    }
    let from = Step::TenSeconds.window(before);
    let windows = worker.servers.store.figures(Step::TenSeconds, from, before + HOUR).await.unwrap();
    let counted: u64 = windows.iter().map(|window| window.counts["counted"]).sum();
    assert_eq!(counted, 2);
}

pub async fn answers_each_attempt_in_order(fixture: &dyn Fixture) {
    let mut worker = Worker::start(fixture).await;
    let messages: Vec<Message> = (0..4).map(|_| message(Priority::P4)).collect();
    offer(&worker.servers, &messages).await;
    let taken = worker.take(4).await;
    assert!(worker.finish(&taken[1], completed()).await);
    let ends = [completed(), completed(), retry(&taken[2], Timestamp::now() + HOUR), End::Released];
    let attempt =
        |(taken, end): (&TakenTask, End)| Attempt::uncounted(taken.claimed, taken.receipt.clone(), end);
    let attempts: Vec<Attempt> = taken.iter().zip(ends).map(attempt).collect();
    assert_eq!(
        worker.servers.path.finish(worker.id, &attempts).await.unwrap(),
        [true, false, true, true],
        "the second one is over"
    );
    assert!(worker.servers.path.finish(worker.id, &[]).await.unwrap().is_empty());
    let again = worker.take_one().await;
    assert_eq!(again.task.id, taken[3].task.id);
    assert!(worker.source.take(&any(4)).await.unwrap().tasks.is_empty());
}
