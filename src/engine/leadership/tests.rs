//! Candidates on one store, by a paused clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::lead_while;
use clawpool_backends::store::{
    Fence, Role,
    testing::{Term, TestStore},
};
use clawpool_core::task::ProcessId;

const LEASE: Duration = Duration::from_secs(3);
const ROLE: Role = Role::Maintenance;

struct Candidate {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Candidate {
    /// Reports the fence at the beginning of each term and 0 at its end; `leading` counts the terms that go
    /// on.
    fn spawn(store: &Arc<TestStore>, news: mpsc::UnboundedSender<u64>, leading: Arc<AtomicU32>) -> Self {
        let stop = CancellationToken::new();
        let until = stop.clone();
        let store = store.clone();
        let task = tokio::spawn(async move {
            let work = |fence: Fence, token: CancellationToken| {
                let news = news.clone();
                let leading = leading.clone();
                async move {
                    assert_eq!(leading.fetch_add(1, Ordering::SeqCst), 0, "two leaders at once");
                    news.send(fence.number).unwrap();
                    token.cancelled().await;
                    leading.fetch_sub(1, Ordering::SeqCst);
                    news.send(0).unwrap();
                }
            };
            lead_while(&*store, ROLE, ProcessId::new(), LEASE, &until, work).await;
        });
        Self { stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// The term that goes on.
fn term(store: &TestStore) -> Option<Term> {
    store.state().terms.get(&ROLE).copied().filter(Term::lasts)
}

#[tokio::test(start_paused = true)]
async fn one_leads_at_a_time_and_a_successor_follows_at_once() {
    let store = Arc::<TestStore>::default();
    let leading = Arc::<AtomicU32>::default();
    let (news, mut heard) = mpsc::unbounded_channel();
    let first = Candidate::spawn(&store, news.clone(), leading.clone());
    assert_eq!(heard.recv().await, Some(1));
    let second = Candidate::spawn(&store, news, leading);
    sleep(LEASE * 100).await;
    assert!(heard.try_recv().is_err(), "renewals keep the leader");
    first.end().await;
    assert_eq!(heard.recv().await, Some(0));
    assert_eq!(heard.recv().await, Some(2));
    second.end().await;
    assert!(term(&store).is_none(), "resigned");
}

#[tokio::test(start_paused = true)]
async fn a_leader_cut_off_stops_before_its_lease_ends_and_comes_back_with_a_new_fence() {
    let store = Arc::<TestStore>::default();
    let (news, mut heard) = mpsc::unbounded_channel();
    let leader = Candidate::spawn(&store, news, Arc::default());
    assert_eq!(heard.recv().await, Some(1));
    store.state().away = true;
    assert_eq!(heard.recv().await, Some(0));
    let until = store.state().terms[&ROLE].until;
    assert!(until >= Instant::now());
    store.state().away = false;
    assert_eq!(heard.recv().await, Some(2));
    leader.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_costs_no_leadership() {
    let store = Arc::<TestStore>::default();
    let (news, mut heard) = mpsc::unbounded_channel();
    let leader = Candidate::spawn(&store, news, Arc::default());
    assert_eq!(heard.recv().await, Some(1));
    for _ in 0..20 {
        store.state().away = true;
        sleep(LEASE / 3).await;
        store.state().away = false;
        sleep(LEASE).await;
    }
    assert!(heard.try_recv().is_err());
    leader.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_replaced_leader_stops() {
    let store = Arc::<TestStore>::default();
    let (news, mut heard) = mpsc::unbounded_channel();
    let leader = Candidate::spawn(&store, news, Arc::default());
    assert_eq!(heard.recv().await, Some(1));
    store.usurp(ROLE, LEASE * 10);
    assert_eq!(heard.recv().await, Some(0));
    leader.end().await;
}
