//! Waiting tasks that are sent to another queue.

use super::*;

fn next_on(message: &Message, queue: Queue) -> Message {
    let task = message.task().unwrap();
    let generation = task.generation + 1;
    Task { generation, priority: queue.priority(), queue: queue.own(), ..task }.to_message().unwrap()
}

pub async fn a_waiting_task_comes_to_its_new_queue_by_the_schedule_set(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let worker = worker(&*store).await;
    let mut message = message_with(Priority::P4, |task| task.unique_key = Some("hourly".into()));
    let task =
        Admission { unique_key: Some("hourly".into()), tenant: Some("acme".into()), ..admission(&message) };
    store.admit(std::slice::from_ref(&task)).await.unwrap();
    for queue in [own_queue(), Queue::P2] {
        let next = next_on(&message, queue);
        assert_eq!(store.reroute(std::slice::from_ref(&next)).await.unwrap(), [true]);
        assert_eq!(store.reroute(std::slice::from_ref(&next)).await.unwrap(), [false], "once");
        let record = store.record(message.id).await.unwrap().unwrap();
        assert_eq!(
            (record.state, record.queue, record.generation),
            (State::Scheduled, queue, next.generation)
        );
        assert_eq!((record.priority, record.tenant.as_deref()), (queue.priority(), Some("acme")));
        assert_eq!(
            claim(&*store, worker, &message).await,
            ClaimOutcome::Drop,
            "the message on the old queue"
        );
        assert!(store.due(fence, 10).await.unwrap().messages == [next.clone()], "due now");
        store.promoted(fence, &[(next.id, next.generation)]).await.unwrap();
        let totals = store.totals().await.unwrap();
        let enqueued = |queue| totals.get(&queue).map_or(0, |totals| totals.enqueued);
        assert_eq!((enqueued(queue), enqueued(Queue::P4)), (1, 0));
        message = next;
    }
    let newcomer =
        Admission { unique_key: Some("hourly".into()), ..admission(&message_with(Priority::P4, |_| ())) };
    let answers = store.admit(std::slice::from_ref(&newcomer)).await.unwrap();
    assert_eq!(answers, [Admitted::Existing(message.id)], "it has its unique key");
    let claimed = start(&*store, worker, &message).await;
    assert!(settle(&*store, worker, claimed, completed()).await);
}

pub async fn a_scheduled_task_keeps_its_time(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let message = message(Priority::P4);
    let at = Timestamp::now() + HOUR;
    store.admit(&[Admission { at: Some(at), ..admission(&message) }]).await.unwrap();
    let next = next_on(&message, Queue::P0);
    assert_eq!(store.reroute(std::slice::from_ref(&next)).await.unwrap(), [true]);
    let entries = store.scheduled(None, 10).await.unwrap().items;
    assert_eq!((entries.len(), entries[0].generation, entries[0].at), (1, 1, at));
    assert_eq!(entries[0].queue, Queue::P0);
    let record = store.record(message.id).await.unwrap().unwrap();
    assert_eq!((record.due_at, record.waiting), (Some(at), Some(Waiting::Delayed)));
    assert!(store.entry(message.id, 0).await.unwrap().is_none());
}

pub async fn what_runs_is_over_or_went_on_is_left_alone(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let [running, done, cancelled, later] = [
        admit(&*store, Priority::P4).await,
        admit(&*store, Priority::P4).await,
        admit(&*store, Priority::P4).await,
        admit(&*store, Priority::P4).await,
    ];
    start(&*store, worker, &running).await;
    let claimed = start(&*store, worker, &done).await;
    assert!(settle(&*store, worker, claimed, completed()).await);
    store.cancel(cancelled.id).await.unwrap();
    let skips = next_on(&next_on(&later, Queue::P4), Queue::P1);
    let unknown = next_on(&message(Priority::P4), Queue::P1);
    let mut messages: Vec<_> =
        [running, done, cancelled].iter().map(|message| next_on(message, Queue::P1)).collect();
    messages.extend([skips, unknown, later.clone()]);
    assert_eq!(store.reroute(&messages).await.unwrap(), [false; 6]);
    assert!(store.scheduled(None, 10).await.unwrap().items.is_empty());
    assert_eq!(state(&*store, &later).await, State::Queued);
}
