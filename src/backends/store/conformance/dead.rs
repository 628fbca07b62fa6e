//! Dead letters: how they come, are found, and go.

use super::*;

const fn taken(taken: u64) -> Requeued {
    Requeued { taken, kept: 0 }
}

pub async fn dead_letters_are_marked_and_listed(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let known = admit(&*store, Priority::P4).await;
    let unknown = message(Priority::P1);
    let letters = [letter(&known, DeadReason::Expired), letter(&unknown, DeadReason::Undeliverable)];
    for _ in 0..2 {
        store.add_dead_letters(&letters).await.unwrap();
    }
    for letter in &letters {
        let record = store.record(letter.message.id).await.unwrap().unwrap();
        assert_eq!((record.state, record.failure), (State::Dead, Some(failure())));
        assert_eq!(record.kind, "test.echo");
        assert_eq!(store.dead_letter(letter.message.id).await.unwrap().as_ref(), Some(letter));
    }
    assert_eq!(store.dead(&DeadFilter::default(), None, 10).await.unwrap().items.len(), 2);
    assert!(store.dead_letter(TaskId::new()).await.unwrap().is_none());
}

pub async fn a_dead_letter_leaves_final_running_and_later_tasks_alone(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let [done, running, later, cancelled] = [0; 4].map(|_| message(Priority::P4));
    let claims = [claim_of(&done), claim_of(&running), claim_of(&later)];
    let outcomes = store.claim(worker, &claims, false).await.unwrap();
    let tokens = outcomes.into_iter().map(|outcome| match outcome {
        ClaimOutcome::Run { token, .. } => token,
        outcome => panic!("{outcome:?}"),
    });
    let tokens: Vec<_> = tokens.collect();
    assert!(settle(&*store, worker, claimed(&done, tokens[0]), completed()).await);
    let end = retry(&later, Timestamp::now() + HOUR);
    assert!(settle(&*store, worker, claimed(&later, tokens[2]), end).await);
    store.admit(&[admission(&cancelled)]).await.unwrap();
    store.cancel(cancelled.id).await.unwrap();
    let letters = [&done, &running, &later, &cancelled].map(|message| letter(message, DeadReason::Expired));
    store.add_dead_letters(&letters).await.unwrap();
    let states = [(done, State::Completed), (running, State::Running), (later, State::Scheduled)];
    for (message, expected) in states.into_iter().chain([(cancelled, State::Cancelled)]) {
        assert_eq!(state(&*store, &message).await, expected);
    }
    assert!(store.dead(&DeadFilter::default(), None, 10).await.unwrap().items.is_empty());
}

pub async fn filters_by_everything(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let time = Timestamp::from_millis;
    let row = |kind: &str, tenant: Option<&str>, reason, priority, died_at| DeadLetter {
        kind: kind.into(),
        tenant: tenant.map(Into::into),
        died_at: time(died_at),
        ..letter(&message(priority), reason)
    };
    // Recent, so that no store has forgotten them.
    let base = Timestamp::now().as_millis();
    let letters = [
        row("email.send", Some("acme"), DeadReason::Fatal, Priority::P4, base),
        row("email.read", None, DeadReason::Expired, Priority::P5, base + 10),
        row("voice.call", Some("acme"), DeadReason::Fatal, Priority::P0, base + 20),
        row("emailer", Some("zeta"), DeadReason::Poison, Priority::P4, base + 30),
    ];
    store.add_dead_letters(&letters).await.unwrap();
    let plain = DeadFilter::default;
    let kind = |kind: &str| DeadFilter { kind: kind.parse().ok(), ..plain() };
    let cases = [
        (plain(), vec![3, 2, 1, 0]),
        (kind("email.*"), vec![1, 0]),
        (kind("*"), vec![3, 2, 1, 0]),
        (kind("email.send"), vec![0]),
        (kind("email"), vec![]),
        (DeadFilter { reason: Some(DeadReason::Fatal), ..plain() }, vec![2, 0]),
        (DeadFilter { priority: Some(Priority::P4), ..plain() }, vec![3, 0]),
        (DeadFilter { tenant: Some("acme".into()), ..plain() }, vec![2, 0]),
        (DeadFilter { since: Some(time(base + 10)), until: Some(time(base + 30)), ..plain() }, vec![2, 1]),
        (DeadFilter { reason: Some(DeadReason::Fatal), ..kind("voice*") }, vec![2]),
    ];
    for (filter, expected) in cases {
        let page = store.dead(&filter, None, 10).await.unwrap();
        let seen: Vec<_> = page.items.iter().map(|letter| letter.message.id).collect();
        let expected: Vec<_> = expected.into_iter().map(|index: usize| letters[index].message.id).collect();
        assert_eq!(seen, expected, "{filter:?}");
        assert!(page.next.is_none());
    }
}

pub async fn pages_latest_first(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let base = Timestamp::now().as_millis();
    let letters: Vec<_> = (0..25)
        .map(|index| DeadLetter {
            died_at: Timestamp::from_millis(base + index / 10),
            ..letter(
                &message(Priority::P4),
                if index % 2 == 0 { DeadReason::Fatal } else { DeadReason::Expired },
            )
        })
        .collect();
    store.add_dead_letters(&letters).await.unwrap();
    for (filter, count) in [
        (DeadFilter::default(), 25),
        (DeadFilter { reason: Some(DeadReason::Fatal), ..DeadFilter::default() }, 13),
    ] {
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let page = store.dead(&filter, cursor.as_deref(), 4).await.unwrap();
            assert!(page.items.len() <= 4);
            seen.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert!(seen.is_sorted_by(|one, next| one.died_at >= next.died_at), "latest first");
        let distinct: std::collections::HashSet<_> = seen.iter().map(|letter| letter.message.id).collect();
        assert_eq!((seen.len(), distinct.len()), (count, count), "each letter once");
    }
}

pub async fn requeue_schedules_the_next_generation(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let worker = worker(&*store).await;
    let message = admit(&*store, Priority::P4).await;
    store.add_dead_letters(&[letter(&message, DeadReason::Expired)]).await.unwrap();
    let next = next_generation(&message, 0);
    assert_eq!(store.requeue(std::slice::from_ref(&next)).await.unwrap(), taken(1));
    assert!(store.dead_letter(message.id).await.unwrap().is_none());
    let record = store.record(message.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.generation, record.attempt), (State::Scheduled, 1, 0));
    let due = store.due(fence, 10).await.unwrap();
    assert!(due.messages == [next.clone()], "due now");
    store.promoted(fence, &[(next.id, next.generation)]).await.unwrap();
    assert_eq!(claim(&*store, worker, &message).await, ClaimOutcome::Drop, "the message it died with");
    let claimed = start(&*store, worker, &next).await;
    assert!(settle(&*store, worker, claimed, completed()).await);
    assert_eq!(state(&*store, &message).await, State::Completed);
}

/// What it did in its life before does not count: the operator gave it a new one.
pub async fn inv_3_a_requeued_task_answers_for_no_death_before(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let message = admit(&*store, Priority::P4).await;
    let doomed = worker(&*store).await;
    let fatal = start(&*store, doomed, &message).await;
    store.end_lease(doomed, None).await.unwrap();
    let end = End::Dead(letter(&message, DeadReason::Fatal));
    assert!(settle(&*store, doomed, fatal, end).await);
    let next = next_generation(&message, 0);
    assert_eq!(store.requeue(std::slice::from_ref(&next)).await.unwrap(), taken(1));
    store.promoted(fence, &[(next.id, next.generation)]).await.unwrap();
    for expected in 0..3 {
        let doomed = worker(&*store).await;
        let outcome = claim(&*store, doomed, &next).await;
        assert!(
            matches!(outcome, ClaimOutcome::Run { crashes, .. } if crashes == expected),
            "{outcome:?} after {expected} crashes"
        );
        store.end_lease(doomed, None).await.unwrap();
    }
    let last = worker(&*store).await;
    let outcome = claim(&*store, last, &next).await;
    assert!(matches!(outcome, ClaimOutcome::Poison { crashes: 3, .. }), "{outcome:?}");
}

pub async fn requeue_counts_only_letters_that_are_there(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let dead = admit(&*store, Priority::P4).await;
    let alive = admit(&*store, Priority::P4).await;
    store.add_dead_letters(&[letter(&dead, DeadReason::Expired)]).await.unwrap();
    let messages = [next_generation(&dead, 0), next_generation(&alive, 0), message(Priority::P4)];
    assert_eq!(store.requeue(&messages).await.unwrap(), taken(1));
    assert_eq!(store.requeue(&messages).await.unwrap(), taken(0), "it is taken out once");
    assert_eq!(state(&*store, &alive).await, State::Queued);
    assert_eq!(store.scheduled(None, 10).await.unwrap().items.len(), 1);
}

pub async fn discard_keeps_the_record(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let message = admit(&*store, Priority::P4).await;
    store.add_dead_letters(&[letter(&message, DeadReason::Expired)]).await.unwrap();
    assert_eq!(store.discard(&[message.id, TaskId::new()]).await.unwrap(), 1);
    assert_eq!(store.discard(&[message.id]).await.unwrap(), 0);
    assert!(store.dead_letter(message.id).await.unwrap().is_none());
    assert!(store.dead(&DeadFilter::default(), None, 10).await.unwrap().items.is_empty());
    assert_eq!(state(&*store, &message).await, State::Dead);
    assert_eq!(claim(&*store, ProcessId::new(), &message).await, ClaimOutcome::Drop);
    assert_eq!(store.requeue(&[next_generation(&message, 0)]).await.unwrap(), taken(0));
}

pub async fn requeue_keeps_one_unfinished_task_for_each_unique_key(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let worker = worker(&*store).await;
    let with_key = |key: &str| message_with(Priority::P4, |task| task.unique_key = Some(key.into()));
    let mut dead = ["hourly"; 4].map(with_key).to_vec();
    dead.push(with_key("daily"));
    store
        .add_dead_letters(
            &dead.iter().map(|message| letter(message, DeadReason::Expired)).collect::<Vec<_>>(),
        )
        .await
        .unwrap();
    let next: Vec<_> = dead.iter().map(|message| next_generation(message, 0)).collect();
    assert_eq!(store.requeue(&next).await.unwrap(), Requeued { taken: 2, kept: 3 });
    assert_eq!(
        store.requeue(&next).await.unwrap(),
        Requeued { taken: 0, kept: 3 },
        "letters that wait count alone"
    );
    let letters = store.dead(&DeadFilter::default(), None, 10).await.unwrap().items;
    assert_eq!(letters.len(), 3);
    assert_eq!(state(&*store, &letters[0].message).await, State::Dead);
    // A task of its key is the answer to a producer that enqueues another one.
    let newcomer = Admission { unique_key: Some("hourly".into()), ..admission(&message(Priority::P4)) };
    let answers = store.admit(std::slice::from_ref(&newcomer)).await.unwrap();
    assert_eq!(answers, [Admitted::Existing(next[0].id)]);
    // Once it is over, another one may go, unless a new task was quicker.
    let due = store.due(fence, 10).await.unwrap().messages;
    store.promoted(fence, &due.iter().map(|due| (due.id, due.generation)).collect::<Vec<_>>()).await.unwrap();
    let claimed = start(&*store, worker, &next[0]).await;
    assert_eq!(
        store.requeue(&next).await.unwrap(),
        Requeued { taken: 0, kept: 3 },
        "running is not finished"
    );
    assert!(settle(&*store, worker, claimed, completed()).await);
    assert_eq!(store.admit(std::slice::from_ref(&newcomer)).await.unwrap(), [Admitted::New]);
    assert_eq!(store.requeue(&next).await.unwrap(), Requeued { taken: 0, kept: 3 });
    assert_eq!(store.cancel(newcomer.message.id).await.unwrap(), Cancelled::Done);
    assert_eq!(store.requeue(&next).await.unwrap(), Requeued { taken: 1, kept: 2 });
}

pub async fn filters_by_what_is_inside(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let row = |session: &str, text: &str| {
        let message = message_with(Priority::P4, |task| {
            task.session = Some(session.into());
            task.meta = [("origin".to_owned(), session.to_owned())].into();
            task.payload = Payload::encode(&[text]).unwrap();
        });
        letter(&message, DeadReason::Fatal)
    };
    let letters = [row("s1", "to Ann"), row("s2", "to Bob"), row("s1", "to Bob")];
    for (index, letter) in letters.iter().enumerate() {
        let died_at = Timestamp::now() + Duration::from_millis(index as u64);
        store.add_dead_letters(&[DeadLetter { died_at, ..letter.clone() }]).await.unwrap();
    }
    let plain = DeadFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let cases = [
        (DeadFilter { session: text("s1"), ..plain() }, vec![2, 0]),
        (DeadFilter { tag: text("origin=s2"), ..plain() }, vec![1]),
        (DeadFilter { tag: text("origin"), ..plain() }, vec![2, 1, 0]),
        (DeadFilter { text: text("bob"), ..plain() }, vec![2, 1]),
        (DeadFilter { text: text("bob"), session: text("s1"), ..plain() }, vec![2]),
        (DeadFilter { text: text("carol"), ..plain() }, vec![]),
    ];
    for (filter, expected) in cases {
        let expected: Vec<_> = expected.into_iter().map(|index: usize| letters[index].message.id).collect();
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let page = store.dead(&filter, cursor.as_deref(), 1).await.unwrap();
            assert!(page.items.len() <= 1 && page.looked_at.is_some_and(|looked_at| looked_at <= 3));
            seen.extend(page.items.iter().map(|letter| letter.message.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected, "{filter:?}");
    }
}
