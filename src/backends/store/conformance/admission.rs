//! Accepting tasks: ids, unique keys, delays, and taking it back.

use super::*;

fn unique(key: &str) -> Admission {
    Admission { unique_key: Some(key.into()), ..admission(&message(Priority::P4)) }
}

pub async fn answers_each_task_in_order(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let known = admit(&*store, Priority::P0).await;
    let batch: Vec<_> = Priority::ALL.map(|priority| admission(&message(priority))).into();
    let batch = [&batch[..3], &[admission(&known)], &batch[3..]].concat();
    let answers = store.admit(&batch).await.unwrap();
    for (index, answer) in answers.into_iter().enumerate() {
        let expected = if index == 3 { Admitted::Existing(known.id) } else { Admitted::New };
        assert_eq!(answer, expected, "task {index}");
        let record = store.record(batch[index].message.id).await.unwrap().unwrap();
        assert_eq!((record.state, record.priority), (State::Queued, batch[index].message.priority()));
        assert_eq!((record.kind.as_str(), record.attempt, record.generation), ("test.echo", 0, 0));
        assert_eq!(record.enqueued_at, batch[index].message.enqueued_at);
    }
    assert!(store.admit(&[]).await.unwrap().is_empty());
    assert!(store.record(TaskId::new()).await.unwrap().is_none());
}

pub async fn a_known_id_is_answered_not_added(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let twin = admission(&message(Priority::P4));
    let answers = store.admit(&[twin.clone(), twin.clone()]).await.unwrap();
    assert_eq!(answers, [Admitted::New, Admitted::Existing(twin.message.id)]);
    let worker = worker(&*store).await;
    let claimed = start(&*store, worker, &twin.message).await;
    assert!(settle(&*store, worker, claimed, completed()).await);
    // Finished and remembered: still answered.
    assert_eq!(
        store.admit(std::slice::from_ref(&twin)).await.unwrap(),
        [Admitted::Existing(twin.message.id)]
    );
    assert_eq!(state(&*store, &twin.message).await, State::Completed);
}

pub async fn a_unique_key_is_held_while_unfinished(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let first = unique("k");
    let second = unique("k");
    let other = unique("other");
    let answers = store.admit(&[first.clone(), second.clone(), other]).await.unwrap();
    assert_eq!(answers, [Admitted::New, Admitted::Existing(first.message.id), Admitted::New]);
    assert!(store.record(second.message.id).await.unwrap().is_none(), "the second task does not exist");
    let worker = worker(&*store).await;
    let claimed = start(&*store, worker, &first.message).await;
    assert_eq!(
        store.admit(std::slice::from_ref(&second)).await.unwrap(),
        [Admitted::Existing(first.message.id)],
        "running"
    );
    let at = Timestamp::now() + HOUR;
    assert!(settle(&*store, worker, claimed, retry(&first.message, at)).await);
    assert_eq!(
        store.admit(&[second]).await.unwrap(),
        [Admitted::Existing(first.message.id)],
        "waiting to retry"
    );
}

pub async fn a_unique_key_is_free_after_every_end(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    for end in 0..5 {
        let task = unique("k");
        assert_eq!(
            store.admit(std::slice::from_ref(&task)).await.unwrap(),
            [Admitted::New],
            "after end {end}"
        );
        let message = &task.message;
        match end {
            0 => assert_eq!(store.cancel(message.id).await.unwrap(), Cancelled::Done),
            1 => store.add_dead_letters(&[letter(message, DeadReason::Expired)]).await.unwrap(),
            _ => {
                let claimed = start(&*store, worker, message).await;
                let ends = [completed(), End::Dead(letter(message, DeadReason::Fatal)), End::Cancelled];
                assert!(settle(&*store, worker, claimed, ends[end - 2].clone()).await);
            }
        }
    }
    assert_eq!(store.admit(&[unique("k")]).await.unwrap(), [Admitted::New]);
}

pub async fn a_unique_key_admits_one_of_many_at_once(fixture: &dyn Fixture) {
    let mut racing = Vec::new();
    for _ in 0..8 {
        let store = fixture.store().await;
        racing.push(tokio::spawn(async move { store.admit(&[unique("race")]).await.unwrap()[0] }));
    }
    let mut new = 0;
    for answer in racing {
        new += usize::from(answer.await.unwrap() == Admitted::New);
    }
    assert_eq!(new, 1);
}

pub async fn a_delayed_task_is_scheduled_in_the_same_step(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let at = Timestamp::now() + HOUR;
    let task = Admission { at: Some(at), ..admission(&message(Priority::P5)) };
    assert_eq!(store.admit(std::slice::from_ref(&task)).await.unwrap(), [Admitted::New]);
    let record = store.record(task.message.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.due_at), (State::Scheduled, Some(at)));
    let page = store.scheduled(None, 10).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!((page.items[0].id, page.items[0].at), (task.message.id, at));
    // Asked again, it stays as it was.
    let sooner = Admission { at: Some(Timestamp::now()), ..task.clone() };
    assert_eq!(store.admit(&[sooner]).await.unwrap(), [Admitted::Existing(task.message.id)]);
    assert_eq!(store.scheduled(None, 10).await.unwrap().items[0].at, at);
}

pub async fn withdraw_forgets_task_key_and_entry(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let keyed = unique("k");
    let delayed = Admission { at: Some(Timestamp::now() + HOUR), ..admission(&message(Priority::P5)) };
    let kept = admit(&*store, Priority::P0).await;
    store.admit(&[keyed.clone(), delayed.clone()]).await.unwrap();
    let ids = [keyed.message.id, delayed.message.id, TaskId::new()];
    assert_eq!(store.withdraw(&ids.map(unsent)).await.unwrap(), [Withdrawn::Done; 3]);
    assert!(store.record(keyed.message.id).await.unwrap().is_none());
    assert!(store.scheduled(None, 10).await.unwrap().items.is_empty());
    assert_eq!(store.admit(&[keyed, delayed, unique("k")]).await.unwrap()[..2], [Admitted::New; 2]);
    assert_eq!(state(&*store, &kept).await, State::Queued);
}

pub async fn a_record_remembers_the_token_that_enqueued_it(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let task = |tenant: Option<&str>, token: Option<&str>| Admission {
        tenant: tenant.map(Into::into),
        enqueued_by: token.map(Into::into),
        ..admission(&message_with(Priority::P4, |task| task.enqueued_by = token.map(Into::into)))
    };
    let tasks = [
        task(Some("acme"), Some("shop")),
        task(Some("acme"), None),
        task(None, Some("shop")),
        task(None, None),
    ];
    store.admit(&tasks).await.unwrap();
    let remembered = async || {
        for task in &tasks {
            let record = store.record(task.message.id).await.unwrap().unwrap();
            assert_eq!((record.tenant, record.enqueued_by), (task.tenant.clone(), task.enqueued_by.clone()));
        }
    };
    remembered().await;
    for task in &tasks {
        let claimed = start(&*store, worker, &task.message).await;
        remembered().await;
        let dead = DeadLetter { tenant: task.tenant.clone(), ..letter(&task.message, DeadReason::Fatal) };
        let end = if task.tenant.is_some() { completed() } else { End::Dead(dead) };
        assert!(settle(&*store, worker, claimed, end).await);
    }
    remembered().await;
    let again: Vec<_> = tasks[2..].iter().map(|task| next_generation(&task.message, 0)).collect();
    assert_eq!(store.requeue(&again).await.unwrap().taken, 2);
    remembered().await;
    let of_acme = RecordFilter { tenant: Some("acme".into()), ..RecordFilter::default() };
    assert_eq!(store.records(&of_acme, None, 10).await.unwrap().items.len(), 2);
}

fn unsent(id: TaskId) -> Withdrawal {
    Withdrawal { id, until: None }
}

/// Whether its message was taken is not known.
fn in_doubt(message: &Message) -> Withdrawal {
    Withdrawal { id: message.id, until: Some(message.expires_at) }
}

/// INV-1 turned round: a producer that was told that nothing was taken sends the same again under another id.
pub async fn a_withdrawn_tasks_late_message_is_dropped(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let late = admit(&*store, Priority::P4).await;
    let expired = admit(&*store, Priority::P4).await;
    let doubts = [&late, &expired].map(in_doubt);
    assert_eq!(store.withdraw(&doubts).await.unwrap(), [Withdrawn::Done; 2]);
    assert_eq!(store.withdraw(&doubts).await.unwrap(), [Withdrawn::Done; 2], "asked again");
    assert!(store.record(late.id).await.unwrap().is_none());
    assert!(store.records(&RecordFilter::default(), None, 10).await.unwrap().items.is_empty());
    assert_eq!(claim(&*store, worker, &late).await, ClaimOutcome::Drop);
    // Nor is it a dead letter when the broker gives its message up.
    store.add_dead_letters(&[letter(&expired, DeadReason::Expired)]).await.unwrap();
    assert!(store.dead_letter(expired.id).await.unwrap().is_none());
    // A message that was not withdrawn runs without a record: the store may have lost it.
    start(&*store, worker, &message(Priority::P4)).await;
}

pub async fn a_withdrawn_id_can_be_admitted_again_and_runs_once(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let task = unique("k");
    store.admit(std::slice::from_ref(&task)).await.unwrap();
    store.withdraw(&[in_doubt(&task.message)]).await.unwrap();
    assert_eq!(store.admit(std::slice::from_ref(&task)).await.unwrap(), [Admitted::New]);
    assert_eq!(state(&*store, &task.message).await, State::Queued);
    let claimed = start(&*store, worker, &task.message).await;
    assert!(settle(&*store, worker, claimed, completed()).await);
    assert_eq!(
        claim(&*store, worker, &task.message).await,
        ClaimOutcome::Drop,
        "its first message, or its second"
    );
    assert_eq!(store.admit(&[unique("k")]).await.unwrap(), [Admitted::New], "the key is free");
}

pub async fn what_began_or_is_confirmed_is_not_withdrawn(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let [running, over, given_back, repeated] = [0; 4].map(|_| message(Priority::P4));
    store.admit(&[&running, &over, &given_back, &repeated].map(admission)).await.unwrap();
    start(&*store, worker, &running).await;
    let claimed = start(&*store, worker, &over).await;
    assert!(settle(&*store, worker, claimed, completed()).await);
    let claimed = start(&*store, worker, &given_back).await;
    assert!(settle(&*store, worker, claimed, End::Released).await);
    assert!(store.confirm(repeated.id).await.unwrap());
    assert!(!store.confirm(running.id).await.unwrap() && !store.confirm(TaskId::new()).await.unwrap());
    let answers = store.withdraw(&[&running, &over, &given_back, &repeated].map(in_doubt)).await.unwrap();
    assert_eq!(answers, [Withdrawn::TooLate, Withdrawn::TooLate, Withdrawn::Wanted, Withdrawn::Wanted]);
    for (task, expected) in
        [(&running, State::Running), (&over, State::Completed), (&repeated, State::Queued)]
    {
        assert_eq!(state(&*store, task).await, expected);
    }
    for task in [&given_back, &repeated] {
        start(&*store, worker, task).await;
    }
}

/// The messages of tasks that do not wait stay where they are.
pub async fn only_what_waits_moves_to_another_queue(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let waits = admit(&*store, Priority::P4).await;
    let runs = admit(&*store, Priority::P4).await;
    let claimed = start(&*store, worker, &runs).await;
    let later = Message { generation: 7, ..admit(&*store, Priority::P4).await };
    let all = [waits.clone(), runs.clone(), later, message(Priority::P4)];
    for queue in [own_queue(), Queue::P2] {
        assert_eq!(store.move_to(&all, queue).await.unwrap(), [true, false, false, false]);
        let record = store.record(waits.id).await.unwrap().unwrap();
        assert_eq!((record.queue, record.priority, record.state), (queue, queue.priority(), State::Queued));
        let totals = store.totals().await.unwrap();
        let enqueued = |queue| totals.get(&queue).map_or(0, |totals| totals.enqueued);
        assert_eq!((enqueued(queue), enqueued(Queue::P4)), (1, 2));
    }
    assert_eq!(store.record(runs.id).await.unwrap().unwrap().queue, Queue::P4);
    let end = End::Completed { result: Payload::null(), keep: HOUR };
    assert!(settle(&*store, worker, claimed, end).await);
}

/// By it another task is told apart from a repetition, at any time of its life.
pub async fn a_fingerprint_stays_with_its_task(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let print = Some(Fingerprint::from_bits(u64::MAX - 1));
    let plain = admission(&message(Priority::P4));
    let whose = |tenant: &str, message: &Message| Admission {
        tenant: Some(tenant.into()),
        enqueued_by: Some("shop".into()),
        fingerprint: print,
        ..admission(message)
    };
    let bare = Admission { fingerprint: print, ..admission(&message(Priority::P4)) };
    let owned = whose("acme", &message_on(own_queue()));
    let delayed = Admission { at: Some(Timestamp::now() + HOUR), ..whose("acme", &message(Priority::P5)) };
    store.admit(&[plain.clone(), bare.clone(), owned.clone(), delayed.clone()]).await.unwrap();
    let assert_kept = async |task: &Admission, when: &str| {
        let record = store.record(task.message.id).await.unwrap().unwrap();
        assert_eq!(
            (record.fingerprint, &record.tenant, &record.enqueued_by, record.queue),
            (task.fingerprint, &task.tenant, &task.enqueued_by, task.message.queue),
            "{when}"
        );
    };
    for task in [&plain, &bare, &owned, &delayed] {
        assert_kept(task, "new").await;
    }
    for task in [&bare, &owned] {
        let claimed = start(&*store, worker, &task.message).await;
        assert_kept(task, "running").await;
        assert!(settle(&*store, worker, claimed, retry(&task.message, Timestamp::now() + HOUR)).await);
        assert_kept(task, "waiting for its next attempt").await;
    }
    let claimed = start(&*store, worker, &delayed.message).await;
    assert!(settle(&*store, worker, claimed, completed()).await);
    assert_kept(&delayed, "over").await;
    let filter = RecordFilter { tenant: Some("acme".into()), ..RecordFilter::default() };
    let page = store.records(&filter, None, 9).await.unwrap();
    assert_eq!(page.items.len(), 2, "a tenant is found by its name");
    let dead = Admission { fingerprint: print, ..admission(&message(Priority::P4)) };
    store.admit(std::slice::from_ref(&dead)).await.unwrap();
    store.add_dead_letters(&[letter(&dead.message, DeadReason::Exhausted)]).await.unwrap();
    assert_kept(&dead, "dead").await;
    assert_eq!(store.requeue(&[next_generation(&dead.message, 0)]).await.unwrap().taken, 1);
    assert_kept(&dead, "requeued").await;
}
