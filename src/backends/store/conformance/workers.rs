//! Workers: beats, leases and orders.

use std::process::{Child, Command, Stdio};

use super::*;

async fn info(store: &dyn Store, worker: ProcessId) -> Option<WorkerInfo> {
    store.workers().await.unwrap().into_iter().find(|info| info.beat.worker == worker)
}

pub async fn beats_register_and_renew(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let other = fixture.store().await;
    assert!(store.workers().await.unwrap().is_empty());
    let worker = ProcessId::new();
    let first = beat_of(worker, SHORT);
    assert_eq!(store.beat(&first).await.unwrap(), Orders::default());
    eventually(async || !info(&*other, worker).await.unwrap().alive).await;
    let busy = Beat { running: vec![1, 0, 2, 0, 0, 0, 0], draining: true, lease: HOUR, ..first.clone() };
    store.beat(&busy).await.unwrap();
    let renewed = info(&*other, worker).await.unwrap();
    assert!(renewed.alive && renewed.beats == 2, "{renewed:?}");
    assert!(renewed.last_beat >= first.started_at);
    assert_eq!((renewed.beat.running, renewed.beat.draining), (busy.running, true));
    assert_eq!(
        (renewed.beat.pool.as_str(), renewed.beat.host.as_str(), renewed.beat.pid),
        ("default", "here", 1)
    );
    assert_eq!((renewed.beat.slots, renewed.beat.queues), (4, Queue::CLASSES.to_vec()));
    assert_eq!((renewed.beat.started_at, renewed.beat.lease), (first.started_at, HOUR));
}

pub async fn drain_is_ordered_with_every_beat(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let operator = fixture.store().await;
    let one = worker(&*store).await;
    let other = worker(&*store).await;
    assert!(operator.drain(one).await.unwrap());
    assert!(!operator.drain(ProcessId::new()).await.unwrap());
    for _ in 0..2 {
        assert!(beat(&*store, one).await.drain);
        assert!(!beat(&*store, other).await.drain);
    }
}

pub async fn a_lease_ends_at_once_and_a_beat_renews_it(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let supervisor = fixture.store().await;
    let worker = worker(&*store).await;
    supervisor.end_lease(worker, None).await.unwrap();
    assert!(!info(&*store, worker).await.expect("it is not forgotten").alive);
    supervisor.end_lease(ProcessId::new(), None).await.unwrap();
    assert_eq!(store.workers().await.unwrap().len(), 1, "the end of an unknown lease registers no worker");
    beat(&*store, worker).await;
    assert!(info(&*store, worker).await.unwrap().alive);
}

pub async fn forget_removes(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let gone = worker(&*store).await;
    let stays = worker(&*store).await;
    store.forget(gone).await.unwrap();
    store.forget(gone).await.unwrap();
    assert!(info(&*store, gone).await.is_none());
    assert!(info(&*store, stays).await.is_some());
}

pub async fn progress_shows_in_the_record(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let owner = worker(&*store).await;
    let stranger = worker(&*store).await;
    let message = admit(&*store, Priority::P4).await;
    let claimed = start(&*store, owner, &message).await;
    let says = |worker, text: &str| Beat {
        progress: vec![(message.id, text.into()), (TaskId::new(), "of nothing".into())],
        ..beat_of(worker, HOUR)
    };
    store.beat(&says(owner, "page 3")).await.unwrap();
    store.beat(&says(stranger, "page 9")).await.unwrap();
    beat(&*store, owner).await;
    let record = store.record(message.id).await.unwrap().unwrap();
    assert_eq!(record.progress.as_deref(), Some("page 3"), "the owner's last word");
    assert!(settle(&*store, owner, claimed, completed()).await);
    assert_eq!(store.record(message.id).await.unwrap().unwrap().progress, None);
}

pub async fn a_worker_is_asked_about_claims_that_still_are_its_own(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let leader = fixture.store().await;
    let asked = worker(&*store).await;
    let other = worker(&*store).await;
    let [runs, done, again] = [(); 3].map(|()| message(Priority::P2));
    store.admit(&[&runs, &done, &again].map(admission)).await.unwrap();
    let claims = [
        start(&*store, asked, &runs).await,
        start(&*store, asked, &done).await,
        start(&*store, asked, &again).await,
    ];
    let question = |claimed: &Claimed| Question { worker: asked, task: claimed.id, token: claimed.token };
    let stranger = Question { worker: asked, task: TaskId::new(), token: 7 };
    let questions = [question(&claims[0]), question(&claims[1]), question(&claims[2]), stranger];
    leader.ask(&questions).await.unwrap();
    leader.ask(&questions[..1]).await.unwrap();
    assert!(settle(&*store, asked, claims[1], completed()).await);
    // Given back and claimed again: what was asked about is over.
    assert!(settle(&*store, asked, claims[2], End::Released).await);
    start(&*store, asked, &again).await;
    assert_eq!(beat(&*store, other).await.asked, []);
    let mut open = beat(&*store, asked).await.asked;
    open.dedup();
    assert_eq!(open, [claims[0]]);
    assert_eq!(beat(&*store, asked).await.asked, [], "once");
    assert!(settle(&*store, asked, open[0], End::Released).await, "that is how it is answered");
    assert_eq!(state(&*store, &runs).await, State::Queued);
    assert!(!settle(&*store, asked, claims[0], completed()).await, "a late outcome is refused");
}

pub async fn pauses_reach_workers(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let operator = fixture.store().await;
    let worker = worker(&*store).await;
    for queue in [Queue::P4, Queue::P2, Queue::P4] {
        operator.set_paused(queue, true).await.unwrap();
    }
    for mut paused in [beat(&*store, worker).await.paused, store.paused().await.unwrap()] {
        paused.sort();
        assert_eq!(paused, [Queue::P2, Queue::P4]);
    }
    operator.set_paused(Queue::P2, false).await.unwrap();
    operator.set_paused(Queue::P0, false).await.unwrap();
    assert_eq!(beat(&*store, worker).await.paused, [Queue::P4]);
}

pub async fn the_end_of_a_lease_answers_what_the_worker_ran(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let supervisor = fixture.store().await;
    let dead = worker(&*store).await;
    let heir = worker(&*store).await;
    let [done, first, second, other] = [(); 4].map(|()| message(Priority::P2));
    for message in [&done, &first, &second, &other] {
        store.admit(&[admission(message)]).await.unwrap();
    }
    let claimed = start(&*store, dead, &done).await;
    assert!(settle(&*store, dead, claimed, completed()).await);
    start(&*store, dead, &first).await;
    start(&*store, dead, &second).await;
    start(&*store, heir, &other).await;
    let mut ran = supervisor.end_lease(dead, None).await.unwrap();
    ran.sort();
    let mut expected = [first.id, second.id];
    expected.sort();
    assert_eq!(ran, expected);
    start(&*store, heir, &first).await;
    assert_eq!(supervisor.end_lease(dead, None).await.unwrap(), [second.id], "the other one has passed on");
    assert_eq!(supervisor.end_lease(ProcessId::new(), None).await.unwrap(), []);
}

/// A process of this machine that waits.
fn process() -> Child {
    Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

pub async fn whose_process_has_ended_is_not_connected_any_more(fixture: &dyn Fixture) {
    let leader = fixture.store().await;
    let first = fixture.store().await;
    let second = fixture.store().await;
    let lives = ProcessId::new();
    let dies = ProcessId::new();
    let stranger = ProcessId::new();
    let mut living = process();
    let mut dying = process();
    let host = sysinfo::System::host_name().unwrap();
    let beat = |worker, child: &Child| Beat { pid: child.id(), host: host.clone(), ..beat_of(worker, HOUR) };
    first.beat(&beat(lives, &living)).await.unwrap();
    second.beat(&beat(dies, &dying)).await.unwrap();
    let connected = async || {
        let mut connected = leader.connected(&[lives, dies, stranger]).await.unwrap().unwrap();
        connected.sort_unstable();
        connected
    };
    let mut both = [lives, dies];
    both.sort_unstable();
    assert_eq!(connected().await, both);
    assert_eq!(leader.connected(&[lives]).await.unwrap().unwrap(), [lives], "who was asked for");
    drop(second);
    dying.kill().unwrap();
    eventually(async || connected().await == [lives]).await;
    dying.wait().unwrap();
    first.beat(&beat(lives, &living)).await.unwrap();
    assert_eq!(connected().await, [lives]);
    living.kill().unwrap();
    living.wait().unwrap();
}
