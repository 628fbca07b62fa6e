//! Who may run a delivered message, and when a task passes to another worker.

use super::*;

pub(crate) async fn runs_queued_and_unknown_tasks(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let known = admit(&*store, Priority::P2).await;
    let unknown = message(Priority::P0);
    let verdicts = store.claim(worker, &[claim_of(&known), claim_of(&unknown)], false).await.unwrap();
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Run { crashes: 0, .. })), "{verdicts:?}");
    for message in [known, unknown] {
        let record = store.record(message.id).await.unwrap().unwrap();
        assert_eq!((record.state, record.worker), (State::Running, Some(worker)));
        assert_eq!((record.kind.as_str(), record.priority), ("test.echo", message.priority));
        assert_eq!(record.enqueued_at, message.enqueued_at);
        assert!(record.started_at.is_some() && record.finished_at.is_none());
    }
    assert!(store.claim(worker, &[], false).await.unwrap().is_empty());
}

pub(crate) async fn inv_2_one_of_many_claims_runs(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let message = admit(&*store, Priority::P0).await;
    let mut racing = Vec::new();
    for _ in 0..8 {
        let (store, message) = (fixture.store().await, message.clone());
        racing.push(tokio::spawn(async move {
            let worker = worker(&*store).await;
            match claim(&*store, worker, &message).await {
                Verdict::Run { token, .. } => settle(&*store, worker, claimed(&message, token), completed()).await,
                Verdict::Held { .. } | Verdict::Drop => false,
                verdict => panic!("{verdict:?}"),
            }
        }));
    }
    let mut settled = 0;
    for run in racing {
        settled += usize::from(run.await.unwrap());
    }
    assert_eq!(settled, 1);
}

pub(crate) async fn older_generations_are_dropped_newer_ones_run(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let first = admit(&*store, Priority::P4).await;
    let old = start(&*store, worker, &first).await;
    assert!(settle(&*store, worker, old, retry(&first, Timestamp::now() + HOUR)).await);
    assert_eq!(claim(&*store, worker, &first).await, Verdict::Drop, "a later generation is scheduled");
    // Newer than the record: the store was set back, the broker was not.
    let newest = next_generation(&next_generation(&first, 1), 2);
    let claimed = start(&*store, worker, &newest).await;
    assert!(claimed.token > old.token);
    let record = store.record(first.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.generation), (State::Running, 2));
    assert_eq!(claim(&*store, worker, &first).await, Verdict::Drop, "a later generation runs");
    assert!(settle(&*store, worker, claimed, completed()).await);
}

pub(crate) async fn a_scheduled_task_may_be_claimed_once(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let message = message(Priority::P4);
    store.admit(&[Admission { at: Some(Timestamp::now()), ..admission(&message) }]).await.unwrap();
    // The promoter published it and died before it could say so.
    let claimed = start(&*store, worker, &message).await;
    assert!(matches!(claim(&*store, worker, &message).await, Verdict::Held { .. }));
    assert!(settle(&*store, worker, claimed, completed()).await);
    assert_eq!(claim(&*store, worker, &message).await, Verdict::Drop);
}

pub(crate) async fn is_held_while_its_owner_beats(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let (owner, other) = (worker(&*store).await, worker(&*store).await);
    let message = admit(&*store, Priority::P1).await;
    let claimed = start(&*store, owner, &message).await;
    for takeover in [false, true] {
        beat(&*store, owner).await;
        let verdict = store.claim(other, &[claim_of(&message)], takeover).await.unwrap()[0];
        match verdict {
            Verdict::Held { retry_in } => assert!(retry_in > Duration::ZERO),
            verdict => panic!("{verdict:?}"),
        }
    }
    assert!(settle(&*store, owner, claimed, completed()).await, "the owner keeps its right");
}

pub(crate) async fn inv_3_a_buried_workers_task_passes_and_counts_a_crash(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let (dead, heir) = (worker(&*store).await, worker(&*store).await);
    let message = admit(&*store, Priority::P1).await;
    let old = start(&*store, dead, &message).await;
    store.bury(dead).await.unwrap();
    let Verdict::Run { token, crashes: 1 } = claim(&*store, heir, &message).await else {
        panic!("the task passes to the heir, with one crash");
    };
    assert!(token > old.token);
    let record = store.record(message.id).await.unwrap().unwrap();
    assert_eq!((record.worker, record.crashes, record.attempt), (Some(heir), 1, 0));
    assert!(!settle(&*store, dead, old, completed()).await);
    assert!(settle(&*store, heir, claimed(&message, token), completed()).await);
}

pub(crate) async fn inv_3_the_third_crash_is_poison(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let message = admit(&*store, Priority::P6).await;
    for expected in 0..3 {
        let doomed = worker(&*store).await;
        match claim(&*store, doomed, &message).await {
            Verdict::Run { crashes, .. } => assert_eq!(crashes, expected),
            verdict => panic!("{verdict:?} after {expected} crashes"),
        }
        store.bury(doomed).await.unwrap();
        store.forget(doomed).await.unwrap();
    }
    let judge = worker(&*store).await;
    let Verdict::Poison { token, crashes: 3 } = claim(&*store, judge, &message).await else {
        panic!("three crashes are poison");
    };
    let end = End::Dead(DeadLetter { crashes: 3, ..letter(&message, DeadReason::Poison) });
    assert!(settle(&*store, judge, claimed(&message, token), end).await);
    assert_eq!(claim(&*store, judge, &message).await, Verdict::Drop);
    assert_eq!(store.dead_letter(message.id).await.unwrap().unwrap().crashes, 3);
}

/// Otherwise the bystanders of a poison task would crash with it again and again, and be taken for poison themselves.
pub(crate) async fn inv_3_suspects_begin_one_at_a_time_and_the_last_chance_is_had_alone(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let (one, other) = (admit(&*store, Priority::P1).await, admit(&*store, Priority::P1).await);
    let both = async |worker| store.claim(worker, &[claim_of(&one), claim_of(&other)], false).await.unwrap();
    let doomed = worker(&*store).await;
    assert!(matches!(both(doomed).await[..], [Verdict::Run { .. }, Verdict::Run { .. }]), "nobody has died with them");
    store.bury(doomed).await.unwrap();

    let doomed = worker(&*store).await;
    let verdicts = both(doomed).await;
    let [Verdict::Run { crashes: 1, .. }, Verdict::Held { retry_in }] = verdicts[..] else { panic!("{verdicts:?}") };
    tokio::time::sleep(retry_in + Duration::from_millis(10)).await;
    assert!(
        matches!(claim(&*store, doomed, &other).await, Verdict::Run { crashes: 1, .. }),
        "the first one still lives"
    );
    store.bury(doomed).await.unwrap();

    let (heir, second) = (worker(&*store).await, worker(&*store).await);
    let verdicts = both(heir).await;
    let [Verdict::Run { token, crashes: 2 }, Verdict::Held { retry_in }] = verdicts[..] else { panic!("{verdicts:?}") };
    tokio::time::sleep(retry_in + Duration::from_millis(10)).await;
    assert!(matches!(claim(&*store, heir, &other).await, Verdict::Held { .. }), "one more crash would be its last");
    let fresh = admit(&*store, Priority::P1).await;
    assert!(matches!(claim(&*store, heir, &fresh).await, Verdict::Run { crashes: 0, .. }));
    let elsewhere = start(&*store, second, &other).await;
    assert!(settle(&*store, second, elsewhere, End::Released).await);
    assert!(settle(&*store, heir, claimed(&one, token), completed()).await);
    let last = start(&*store, heir, &other).await;
    assert!(settle(&*store, heir, last, completed()).await);
}

pub(crate) async fn a_claim_asked_again_is_answered_alike(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let (known, unknown) = (admit(&*store, Priority::P1).await, message(Priority::P4));
    let claims = [claim_of(&known), claim_of(&unknown)];
    let first = store.claim(worker, &claims, false).await.unwrap();
    assert_eq!(store.claim(worker, &claims, false).await.unwrap(), first, "the answer was lost");
    assert!(matches!(claim(&*store, worker, &known).await, Verdict::Held { .. }), "another message of the same task");
    let Verdict::Run { token, .. } = first[0] else { panic!("{first:?}") };
    assert!(settle(&*store, worker, claimed(&known, token), completed()).await);
    assert_eq!(store.claim(worker, &claims, false).await.unwrap()[0], Verdict::Drop);
}

pub(crate) async fn a_silent_workers_task_passes_after_its_lease(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let (silent, heir) = (WorkerId::new(), worker(&*store).await);
    store.beat(&beat_of(silent, SHORT)).await.unwrap();
    let message = admit(&*store, Priority::P1).await;
    let old = start(&*store, silent, &message).await;
    let verdict = loop {
        match claim(&*store, heir, &message).await {
            Verdict::Held { retry_in } => tokio::time::sleep(retry_in).await,
            verdict => break verdict,
        }
    };
    assert!(matches!(verdict, Verdict::Run { crashes: 1, .. }), "{verdict:?}");
    assert!(!settle(&*store, silent, old, completed()).await);
}

pub(crate) async fn takeover_needs_one_and_a_half_silent_heartbeats(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let (silent, heir) = (worker(&*store).await, worker(&*store).await);
    let message = admit(&*store, Priority::P1).await;
    start(&*store, silent, &message).await;
    tokio::time::sleep(HEARTBEAT.mul_f64(1.6)).await;
    assert!(matches!(claim(&*store, heir, &message).await, Verdict::Held { .. }), "its lease has not ended");
    let verdict = store.claim(heir, &[claim_of(&message)], true).await.unwrap()[0];
    assert!(matches!(verdict, Verdict::Run { crashes: 1, .. }), "{verdict:?}");
    assert_eq!(beat(&*store, silent).await.lost, [message.id]);
}

pub(crate) async fn the_old_owner_is_told_what_it_lost(fixture: &dyn Fixture) {
    let (store, other) = (fixture.store().await, fixture.store().await);
    let (zombie, heir) = (worker(&*store).await, worker(&*other).await);
    let (lost, kept) = (admit(&*store, Priority::P1).await, admit(&*store, Priority::P1).await);
    start(&*store, zombie, &lost).await;
    let keeps = start(&*store, zombie, &kept).await;
    store.bury(zombie).await.unwrap();
    start(&*other, heir, &lost).await;
    assert_eq!(beat(&*store, zombie).await.lost, [lost.id]);
    assert_eq!(beat(&*store, zombie).await.lost, [], "told once");
    assert!(settle(&*store, zombie, keeps, completed()).await, "what nobody else claimed is still its own");
}
