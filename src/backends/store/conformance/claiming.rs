//! Who may run a delivered message, and when a task passes to another worker.

use std::time::Instant;

use super::*;

pub async fn runs_queued_and_unknown_tasks(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let known = admit(&*store, Priority::P2).await;
    let unknown = message(Priority::P0);
    let outcomes = store.claim(worker, &[claim_of(&known), claim_of(&unknown)], false).await.unwrap();
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, ClaimOutcome::Run { crashes: 0, .. })),
        "{outcomes:?}"
    );
    for message in [known, unknown] {
        let record = store.record(message.id).await.unwrap().unwrap();
        assert_eq!((record.state, record.worker), (State::Running, Some(worker)));
        assert_eq!((record.kind.as_str(), record.priority), ("test.echo", message.priority()));
        assert_eq!(record.enqueued_at, message.enqueued_at);
        assert!(record.started_at.is_some() && record.finished_at.is_none());
    }
    assert!(store.claim(worker, &[], false).await.unwrap().is_empty());
}

pub async fn inv_2_one_of_many_claims_runs(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let message = admit(&*store, Priority::P0).await;
    let mut racing = Vec::new();
    for _ in 0..8 {
        let store = fixture.store().await;
        let message = message.clone();
        racing.push(tokio::spawn(async move {
            let worker = worker(&*store).await;
            match claim(&*store, worker, &message).await {
                ClaimOutcome::Run { token, .. } => {
                    settle(&*store, worker, claimed(&message, token), completed()).await
                }
                ClaimOutcome::Held { .. } | ClaimOutcome::Drop => false,
                outcome => panic!("{outcome:?}"),
            }
        }));
    }
    let mut settled = 0;
    for run in racing {
        settled += usize::from(run.await.unwrap());
    }
    assert_eq!(settled, 1);
}

pub async fn older_generations_are_dropped_newer_ones_run(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let first = admit(&*store, Priority::P4).await;
    let old = start(&*store, worker, &first).await;
    assert!(settle(&*store, worker, old, retry(&first, Timestamp::now() + HOUR)).await);
    assert_eq!(claim(&*store, worker, &first).await, ClaimOutcome::Drop, "a later generation is scheduled");
    // Newer than the record: the store was set back, the broker was not.
    let newest = next_generation(&next_generation(&first, 1), 2);
    let claimed = start(&*store, worker, &newest).await;
    assert!(claimed.token > old.token);
    let record = store.record(first.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.generation), (State::Running, 2));
    assert_eq!(claim(&*store, worker, &first).await, ClaimOutcome::Drop, "a later generation runs");
    assert!(settle(&*store, worker, claimed, completed()).await);
}

pub async fn a_scheduled_task_may_be_claimed_once(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let message = message(Priority::P4);
    store.admit(&[Admission { at: Some(Timestamp::now()), ..admission(&message) }]).await.unwrap();
    // The promoter published it and died before it could say so.
    let claimed = start(&*store, worker, &message).await;
    assert!(matches!(claim(&*store, worker, &message).await, ClaimOutcome::Held { .. }));
    assert!(settle(&*store, worker, claimed, completed()).await);
    assert_eq!(claim(&*store, worker, &message).await, ClaimOutcome::Drop);
}

pub async fn is_held_while_its_owner_beats(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let owner = worker(&*store).await;
    let other = worker(&*store).await;
    let message = admit(&*store, Priority::P1).await;
    let claimed = start(&*store, owner, &message).await;
    for takeover in [false, true] {
        beat(&*store, owner).await;
        let outcome = store.claim(other, &[claim_of(&message)], takeover).await.unwrap()[0];
        match outcome {
            ClaimOutcome::Held { retry_in } => assert!(retry_in > Duration::ZERO),
            outcome => panic!("{outcome:?}"),
        }
    }
    assert!(settle(&*store, owner, claimed, completed()).await, "the owner keeps its right");
}

pub async fn inv_3_a_dead_workers_task_passes_and_counts_a_crash(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let dead = worker(&*store).await;
    let heir = worker(&*store).await;
    let message = admit(&*store, Priority::P1).await;
    let old = start(&*store, dead, &message).await;
    store.end_lease(dead, None).await.unwrap();
    let ClaimOutcome::Run { token, crashes: 1 } = claim(&*store, heir, &message).await else {
        panic!("the task passes to the heir, with one crash");
    };
    assert!(token > old.token);
    let record = store.record(message.id).await.unwrap().unwrap();
    assert_eq!((record.worker, record.crashes, record.attempt), (Some(heir), 1, 0));
    assert!(!settle(&*store, dead, old, completed()).await);
    assert!(settle(&*store, heir, claimed(&message, token), completed()).await);
}

pub async fn inv_3_the_third_crash_is_poison(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let message = admit(&*store, Priority::P6).await;
    for expected in 0..3 {
        let doomed = worker(&*store).await;
        match claim(&*store, doomed, &message).await {
            ClaimOutcome::Run { crashes, .. } => assert_eq!(crashes, expected),
            outcome => panic!("{outcome:?} after {expected} crashes"),
        }
        store.end_lease(doomed, None).await.unwrap();
        store.forget(doomed).await.unwrap();
    }
    let last = worker(&*store).await;
    let ClaimOutcome::Poison { token, crashes: 3 } = claim(&*store, last, &message).await else {
        panic!("three crashes are poison");
    };
    let end = End::Dead(DeadLetter { crashes: 3, ..letter(&message, DeadReason::Poison) });
    assert!(settle(&*store, last, claimed(&message, token), end).await);
    assert_eq!(claim(&*store, last, &message).await, ClaimOutcome::Drop);
    assert_eq!(store.dead_letter(message.id).await.unwrap().unwrap().crashes, 3);
}

/// Whatever kills the workers, their tasks do not wait for one another.
pub async fn the_tasks_of_a_dead_worker_start_again_at_once(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    // At four a second they would take 50 s.
    let messages = crowd(&*store, 200).await;
    let claims: Vec<Claim> = messages.iter().map(claim_of).collect();
    let doomed = worker(&*store).await;
    let heir = worker(&*store).await;
    let starts = async |worker, crashes| {
        let outcomes = store.claim(worker, &claims, false).await.unwrap();
        outcomes
            .iter()
            .filter(|outcome| matches!(outcome, ClaimOutcome::Run { crashes: seen, .. } if *seen == crashes))
            .count()
    };
    assert_eq!(starts(doomed, 0).await, messages.len());
    assert_eq!(store.end_lease(doomed, None).await.unwrap().len(), messages.len());
    let ended = Instant::now();
    // A claim that is repeated is answered as before.
    eventually(async || starts(heir, 1).await == messages.len()).await;
    assert!(ended.elapsed() < PATIENCE, "{:?}", ended.elapsed());
}

/// A poison task among many: workers run what they are given and die as soon as it is started, by its hand.
pub async fn inv_3_a_poison_task_is_found_among_many_and_no_innocent_dies(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let messages = crowd(&*store, 80).await;
    let mut trial = Trial::new(messages);
    while !trial.over() {
        trial.round(&*store).await;
    }
    let deaths = trial.deaths;
    let wait = trial.longest_wait;
    println!("one poison task of 80: found after {deaths} deaths; the others started again within {wait:?}");
    assert!((3..=20).contains(&deaths), "{deaths} deaths");
    assert!(wait < PATIENCE, "{wait:?}");
    for message in &trial.messages[1..] {
        let record = store.record(message.id).await.unwrap().unwrap();
        assert!(!record.state.is_final() && record.crashes <= deaths, "{record:?}");
    }
}

/// Its supervisor saw whose future the worker was polling.
pub async fn inv_3_who_was_being_polled_bears_the_death_and_all_others_start_at_once(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let messages = crowd(&*store, 20).await;
    let poison = &messages[0];
    let others = messages[1..].iter().map(claim_of).collect::<Vec<_>>();
    // The other tasks that are named did not run there.
    let polled = [poison.id, TaskId::new()];
    for (crashes, polled) in [(0, None), (1, Some(&polled[..]))] {
        let doomed = worker(&*store).await;
        assert!(
            matches!(claim(&*store, doomed, poison).await, ClaimOutcome::Run { crashes: seen, .. } if seen ==
            crashes)
        );
        eventually(async || {
            let outcomes = store.claim(doomed, &others, false).await.unwrap();
            outcomes.iter().all(|outcome| matches!(outcome, ClaimOutcome::Run { .. }))
        })
        .await;
        assert_eq!(store.end_lease(doomed, polled).await.unwrap().len(), messages.len());
    }
    let doomed = worker(&*store).await;
    let beside = worker(&*store).await;
    start(&*store, doomed, poison).await;
    let outcomes = store.claim(beside, &others, false).await.unwrap();
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, ClaimOutcome::Run { crashes: 2, .. })),
        "{outcomes:?}"
    );
    store.end_lease(doomed, Some(&polled)).await.unwrap();
    let outcome = claim(&*store, beside, poison).await;
    assert!(matches!(outcome, ClaimOutcome::Poison { crashes: 3, .. }), "{outcome:?}");
}

/// Far beyond what is promised (3 s): the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// The first of the messages is the poison.
struct Trial {
    messages: Vec<Message>,
    /// When each may be asked for, and since when it waits; none for those that run.
    waits: Vec<Option<(Instant, Instant)>>,
    worker: Option<ProcessId>,
    deaths: u32,
    longest_wait: Duration,
    found: bool,
}

impl Trial {
    fn new(messages: Vec<Message>) -> Self {
        let now = Instant::now();
        let waits = vec![Some((now, now)); messages.len()];
        Self { messages, waits, worker: None, deaths: 0, longest_wait: Duration::ZERO, found: false }
    }

    fn over(&self) -> bool {
        self.found && self.waits[1..].iter().all(Option::is_none)
    }

    async fn round(&mut self, store: &dyn Store) {
        let worker = match self.worker {
            Some(worker) => worker,
            None => *self.worker.insert(super::worker(store).await),
        };
        let now = Instant::now();
        let due = |wait: &Option<(Instant, Instant)>| wait.is_some_and(|(at, _)| at <= now);
        let asked: Vec<usize> = (0..self.waits.len()).filter(|index| due(&self.waits[*index])).collect();
        let claims: Vec<Claim> = asked.iter().map(|index| claim_of(&self.messages[*index])).collect();
        let outcomes = store.claim(worker, &claims, false).await.unwrap();
        let mut dies = false;
        for (index, outcome) in asked.into_iter().zip(outcomes) {
            let Some((_, since)) = self.waits[index] else { continue };
            self.waits[index] = match outcome {
                ClaimOutcome::Held { retry_in } => Some((now + retry_in, since)),
                ClaimOutcome::Run { .. } => {
                    dies |= index == 0;
                    self.longest_wait = self.longest_wait.max(since.elapsed());
                    None
                }
                ClaimOutcome::Poison { .. } => {
                    assert_eq!(
                        index, 0,
                        "INV-3: an innocent task was taken for poison after {} deaths",
                        self.deaths
                    );
                    self.found = true;
                    None
                }
                ClaimOutcome::Drop => panic!("{index} has ended"),
            };
        }
        if dies {
            self.die(store, worker).await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    async fn die(&mut self, store: &dyn Store, worker: ProcessId) {
        (self.worker, self.deaths) = (None, self.deaths + 1);
        let ran = store.end_lease(worker, None).await.unwrap();
        store.forget(worker).await.unwrap();
        let now = Instant::now();
        for (message, wait) in self.messages.iter().zip(&mut self.waits) {
            if ran.contains(&message.id) {
                *wait = Some((now, now));
            }
        }
    }
}

async fn crowd(store: &dyn Store, count: usize) -> Vec<Message> {
    let messages: Vec<Message> = (0..count).map(|_| message(Priority::P1)).collect();
    let admissions: Vec<Admission> = messages.iter().map(admission).collect();
    store.admit(&admissions).await.unwrap();
    messages
}

/// Its redelivery may come before the death is known, and is held for the rest of the lease.
pub async fn the_end_of_a_lease_brings_forward_what_is_held(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    let doomed = worker(&*store).await;
    let other = worker(&*store).await;
    let before = admit(&*store, Priority::P4).await;
    let after = admit(&*store, Priority::P4).await;
    let unconcerned = admit(&*store, Priority::P4).await;
    for message in [&before, &after] {
        start(&*store, doomed, message).await;
        assert!(matches!(claim(&*store, other, message).await, ClaimOutcome::Held { .. }));
    }
    start(&*store, other, &unconcerned).await;
    let held = |message: &Message| Scheduled { message: message.clone(), at: Timestamp::now() + HOUR };
    store.schedule(&[held(&before), held(&unconcerned)]).await.unwrap();
    assert!(store.due(fence, 10).await.unwrap().messages.is_empty());
    let waiting = {
        let store = store.clone();
        let next = Some(Timestamp::now() + HOUR / 2);
        tokio::spawn(async move { store.wait_due(next).await })
    };
    store.end_lease(doomed, None).await.unwrap();
    waiting.await.unwrap().unwrap();
    store.schedule(&[held(&after)]).await.unwrap();
    let mut due = Vec::new();
    eventually(async || {
        let messages = store.due(fence, 10).await.unwrap().messages;
        let keys: Vec<_> = messages.iter().map(|message| (message.id, message.generation)).collect();
        store.promoted(fence, &keys).await.unwrap();
        due.extend(keys.into_iter().map(|(id, _)| id));
        due.len() >= 2
    })
    .await;
    due.sort_unstable();
    let mut expected = [before.id, after.id];
    expected.sort_unstable();
    assert_eq!(due, expected, "what another worker's life holds stays");
    start(&*store, other, &before).await;
}

pub async fn a_dead_workers_tasks_are_shown_as_queued(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let doomed = worker(&*store).await;
    let message = admit(&*store, Priority::P4).await;
    let claimed = start(&*store, doomed, &message).await;
    store.end_lease(doomed, None).await.unwrap();
    let record = store.record(message.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.worker, record.crashes), (State::Queued, None, 1));
    assert_eq!(record.due_at, None);
    for (state, count) in [(State::Running, 0), (State::Queued, 1)] {
        let filter = RecordFilter { states: vec![state], ..RecordFilter::default() };
        let items = store.records(&filter, None, 10).await.unwrap().items;
        assert_eq!(items.iter().filter(|record| record.id == message.id).count(), count, "{state:?}");
    }
    beat(&*store, doomed).await;
    assert_eq!(state(&*store, &message).await, State::Running, "it only slept");
    assert!(settle(&*store, doomed, claimed, completed()).await);
}

pub async fn a_claim_asked_again_is_answered_alike(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let worker = worker(&*store).await;
    let known = admit(&*store, Priority::P1).await;
    let unknown = message(Priority::P4);
    let claims = [claim_of(&known), claim_of(&unknown)];
    let first = store.claim(worker, &claims, false).await.unwrap();
    assert_eq!(store.claim(worker, &claims, false).await.unwrap(), first, "the answer was lost");
    assert!(
        matches!(claim(&*store, worker, &known).await, ClaimOutcome::Held { .. }),
        "another message of the same task"
    );
    let ClaimOutcome::Run { token, .. } = first[0] else { panic!("{first:?}") };
    assert!(settle(&*store, worker, claimed(&known, token), completed()).await);
    assert_eq!(store.claim(worker, &claims, false).await.unwrap()[0], ClaimOutcome::Drop);
}

pub async fn a_silent_workers_task_passes_after_its_lease(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let silent = ProcessId::new();
    let heir = worker(&*store).await;
    store.beat(&beat_of(silent, SHORT)).await.unwrap();
    let message = admit(&*store, Priority::P1).await;
    let old = start(&*store, silent, &message).await;
    let outcome = loop {
        match claim(&*store, heir, &message).await {
            ClaimOutcome::Held { retry_in } => tokio::time::sleep(retry_in).await,
            outcome => break outcome,
        }
    };
    assert!(matches!(outcome, ClaimOutcome::Run { crashes: 1, .. }), "{outcome:?}");
    assert!(!settle(&*store, silent, old, completed()).await);
}

pub async fn takeover_needs_one_and_a_half_silent_heartbeats(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let silent = worker(&*store).await;
    let heir = worker(&*store).await;
    let message = admit(&*store, Priority::P1).await;
    start(&*store, silent, &message).await;
    tokio::time::sleep(HEARTBEAT.mul_f64(1.6)).await;
    assert!(
        matches!(claim(&*store, heir, &message).await, ClaimOutcome::Held { .. }),
        "its lease has not ended"
    );
    let outcome = store.claim(heir, &[claim_of(&message)], true).await.unwrap()[0];
    assert!(matches!(outcome, ClaimOutcome::Run { crashes: 1, .. }), "{outcome:?}");
    assert_eq!(beat(&*store, silent).await.lost, [message.id]);
}

pub async fn the_old_owner_is_told_what_it_lost(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let other = fixture.store().await;
    let zombie = worker(&*store).await;
    let heir = worker(&*other).await;
    let lost = admit(&*store, Priority::P1).await;
    let kept = admit(&*store, Priority::P1).await;
    start(&*store, zombie, &lost).await;
    let keeps = start(&*store, zombie, &kept).await;
    store.end_lease(zombie, None).await.unwrap();
    start(&*other, heir, &lost).await;
    assert_eq!(beat(&*store, zombie).await.lost, [lost.id]);
    assert_eq!(beat(&*store, zombie).await.lost, [], "told once");
    assert!(
        settle(&*store, zombie, keeps, completed()).await,
        "what no other worker claimed is still its own"
    );
}
