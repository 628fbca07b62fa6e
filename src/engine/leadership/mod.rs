//! Holds a role's lease while its work runs.

use std::{pin::pin, time::Duration};

use rand::RngExt;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use clawpool_backends::store::{ControlStore, Fence, Role};
use clawpool_core::task::ProcessId;

/// Runs `work` whenever `who` leads `role`, until `stop` fires and the work has ended; then gives the role
/// up.
///
/// The token that `work` gets fires at `stop` and as soon as leadership is lost: another process leads, or no
/// renewal has succeeded for a whole lease by the monotonic clock. Its fence keeps a work that ends late from
/// writing.
pub async fn lead_while<S, W, Fut>(
    store: &S,
    role: Role,
    who: ProcessId,
    lease: Duration,
    stop: &CancellationToken,
    work: W,
) where
    S: ControlStore + ?Sized,
    W: Fn(Fence, CancellationToken) -> Fut,
    Fut: Future<Output = ()>,
{
    let (leadership, _) = watch::channel(Leadership::Unknown);
    lead_and_report(store, role, who, lease, stop, &leadership, work).await;
}

/// What a candidate knows of the leadership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// The store has not answered yet, or not for a whole lease.
    Unknown,
    Leader,
    /// The store says that another process leads. Told again with each answer.
    Follower,
}

/// The same, and reports meanwhile whether this process leads.
pub async fn lead_and_report<S, W, Fut>(
    store: &S,
    role: Role,
    who: ProcessId,
    lease: Duration,
    stop: &CancellationToken,
    leadership: &watch::Sender<Leadership>,
    work: W,
) where
    S: ControlStore + ?Sized,
    W: Fn(Fence, CancellationToken) -> Fut,
    Fut: Future<Output = ()>,
{
    let candidate = Candidate { store, role, who, lease, leadership };
    while let Some(term) = stop.run_until_cancelled(candidate.elected()).await {
        tracing::info!(role = role.name(), fence = term.fence.number, "leads");
        candidate.serve(term, stop, &work).await;
        // Also keeps a work that returns at once from spinning.
        let _ = stop.run_until_cancelled(sleep(candidate.pause())).await;
    }
}

struct Candidate<'a, S: ?Sized> {
    store: &'a S,
    role: Role,
    who: ProcessId,
    lease: Duration,
    leadership: &'a watch::Sender<Leadership>,
}

/// From winning the lease to losing or resigning it.
#[derive(Clone, Copy)]
struct Term {
    fence: Fence,
    /// Before the request that took or renewed the lease was sent, so never later than the store's own
    /// beginning of it.
    since: Instant,
}

impl<S: ControlStore + ?Sized> Candidate<'_, S> {
    /// A third of the lease, give or take a tenth of it: candidates do not ask in step.
    fn pause(&self) -> Duration {
        self.lease.mul_f64(rand::rng().random_range(0.3..0.4))
    }

    async fn elected(&self) -> Term {
        let mut silent = false;
        loop {
            let since = Instant::now();
            match self.store.lead(self.role, self.who, self.lease).await {
                Ok(Some(fence)) => {
                    self.leadership.send_replace(Leadership::Leader);
                    return Term { fence, since };
                }
                Ok(None) => {
                    self.leadership.send_replace(Leadership::Follower);
                    silent = false;
                }
                Err(error) => {
                    // Once for each outage.
                    if !std::mem::replace(&mut silent, true) {
                        tracing::warn!(role = self.role.name(), %error, "cannot ask for leadership; asking \
                            again");
                    }
                    // The work is to go on within a second of the store's return.
                    sleep(self.pause() / 4).await;
                    continue;
                }
            }
            sleep(self.pause()).await;
        }
    }

    async fn serve<W, Fut>(&self, term: Term, stop: &CancellationToken, work: &W)
    where
        W: Fn(Fence, CancellationToken) -> Fut,
        Fut: Future<Output = ()>,
    {
        let token = stop.child_token();
        let mut work = pin!(work(term.fence, token.clone()));
        tokio::select! {
            () = &mut work => {
                if let Err(error) = self.store.resign(term.fence).await {
                    tracing::warn!(role = self.role.name(), %error, "cannot resign; the next leader waits \
                        for the lease to end");
                }
            }
            () = self.lost(term) => {
                self.leadership.send_replace(Leadership::Unknown);
                tracing::warn!(role = self.role.name(), fence = term.fence.number, "leads no longer");
                token.cancel();
                work.await;
            }
        }
    }

    /// Renews the lease again and again; returns when it may belong to another process.
    async fn lost(&self, mut term: Term) {
        let mut pause = self.pause();
        loop {
            let end = term.since + self.lease;
            let asked = tokio::time::sleep_until(end.min(Instant::now() + pause));
            asked.await;
            let since = Instant::now();
            if since >= end {
                return;
            }
            pause = match timeout_at(end, self.store.lead(self.role, self.who, self.lease)).await {
                Ok(Ok(Some(fence))) if fence == term.fence => {
                    term.since = since;
                    self.pause()
                }
                Ok(Ok(_)) | Err(_) => return,
                Ok(Err(error)) => {
                    tracing::debug!(role = self.role.name(), %error, "cannot renew leadership; trying again");
                    self.lease / 10
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    };

    use async_trait::async_trait;
    use tokio::sync::mpsc;

    use super::*;
    use clawpool_backends::store::{QueueTotals, StoreError};
    use clawpool_core::task::Queue;

    const LEASE: Duration = Duration::from_secs(3);

    /// One role's lease by the paused clock, and a switch that makes the store unreachable.
    #[derive(Default)]
    struct FakeLease {
        held: Mutex<Option<(ProcessId, u64, Instant)>>,
        number: Mutex<u64>,
        away: AtomicBool,
    }

    #[async_trait]
    impl ControlStore for FakeLease {
        async fn lead(
            &self,
            role: Role,
            who: ProcessId,
            lease: Duration,
        ) -> Result<Option<Fence>, StoreError> {
            if self.away.load(Ordering::SeqCst) {
                return Err(StoreError::Unavailable { store: "test", reason: "away".into() });
            }
            let (mut held, now) = (self.held.lock().unwrap(), Instant::now());
            let number = match *held {
                Some((leader, number, end)) if end > now => {
                    if leader != who {
                        return Ok(None);
                    }
                    number
                }
                _ => {
                    let mut number = self.number.lock().unwrap();
                    *number += 1;
                    *number
                }
            };
            *held = Some((who, number, now + lease));
            Ok(Some(Fence { role, number }))
        }

        async fn resign(&self, fence: Fence) -> Result<(), StoreError> {
            self.held.lock().unwrap().take_if(|held| held.1 == fence.number);
            Ok(())
        }

        async fn set_paused(&self, _: Queue, _: bool) -> Result<(), StoreError> {
            Ok(())
        }

        async fn paused(&self) -> Result<Vec<Queue>, StoreError> {
            Ok(vec![])
        }

        async fn take_tokens(
            &self,
            _: &str,
            want: u32,
            _: f64,
            _: u32,
        ) -> Result<(u32, Duration), StoreError> {
            Ok((want, Duration::ZERO))
        }

        async fn totals(&self) -> Result<Vec<QueueTotals>, StoreError> {
            Ok(vec![])
        }

        async fn probe(&self) -> Result<(), StoreError> {
            Ok(())
        }
    }

    struct Candidate {
        stop: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    /// Reports the fence at the beginning of each term and 0 at its end; `leading` counts the terms that go
    /// on.
    fn spawn_candidate(
        lease: &Arc<FakeLease>,
        news: mpsc::UnboundedSender<u64>,
        leading: Arc<AtomicU32>,
    ) -> Candidate {
        let (stop, lease) = (CancellationToken::new(), lease.clone());
        let until = stop.clone();
        let task = tokio::spawn(async move {
            let work = |fence: Fence, token: CancellationToken| {
                let (news, leading) = (news.clone(), leading.clone());
                async move {
                    assert_eq!(leading.fetch_add(1, Ordering::SeqCst), 0, "two leaders at once");
                    news.send(fence.number).unwrap();
                    token.cancelled().await;
                    leading.fetch_sub(1, Ordering::SeqCst);
                    news.send(0).unwrap();
                }
            };
            lead_while(lease.as_ref(), Role::Maintenance, ProcessId::new(), LEASE, &until, work).await;
        });
        Candidate { stop, task }
    }

    #[tokio::test(start_paused = true)]
    async fn one_leads_at_a_time_and_a_successor_follows_at_once() {
        let (lease, leading) = (Arc::<FakeLease>::default(), Arc::default());
        let (news, mut heard) = mpsc::unbounded_channel();
        let first = spawn_candidate(&lease, news.clone(), Arc::clone(&leading));
        assert_eq!(heard.recv().await, Some(1));
        let second = spawn_candidate(&lease, news, leading);
        sleep(LEASE * 100).await;
        assert!(heard.try_recv().is_err(), "renewals keep the leader");
        first.stop.cancel();
        first.task.await.unwrap();
        assert_eq!((heard.recv().await, heard.recv().await), (Some(0), Some(2)));
        second.stop.cancel();
        second.task.await.unwrap();
        assert!(lease.held.lock().unwrap().is_none(), "resigned");
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_cut_off_stops_before_its_lease_ends_and_comes_back_with_a_new_fence() {
        let lease = Arc::<FakeLease>::default();
        let (news, mut heard) = mpsc::unbounded_channel();
        let leader = spawn_candidate(&lease, news, Arc::default());
        assert_eq!(heard.recv().await, Some(1));
        lease.away.store(true, Ordering::SeqCst);
        assert_eq!(heard.recv().await, Some(0));
        assert!(lease.held.lock().unwrap().unwrap().2 >= Instant::now());
        lease.away.store(false, Ordering::SeqCst);
        assert_eq!(heard.recv().await, Some(2));
        leader.stop.cancel();
        leader.task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_outage_costs_no_leadership() {
        let lease = Arc::<FakeLease>::default();
        let (news, mut heard) = mpsc::unbounded_channel();
        let leader = spawn_candidate(&lease, news, Arc::default());
        assert_eq!(heard.recv().await, Some(1));
        for _ in 0..20 {
            lease.away.store(true, Ordering::SeqCst);
            sleep(LEASE / 3).await;
            lease.away.store(false, Ordering::SeqCst);
            sleep(LEASE).await;
        }
        assert!(heard.try_recv().is_err());
        leader.stop.cancel();
        leader.task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_replaced_leader_stops() {
        let lease = Arc::<FakeLease>::default();
        let (news, mut heard) = mpsc::unbounded_channel();
        let leader = spawn_candidate(&lease, news, Arc::default());
        assert_eq!(heard.recv().await, Some(1));
        *lease.held.lock().unwrap() = Some((ProcessId::new(), 9, Instant::now() + LEASE * 10));
        assert_eq!(heard.recv().await, Some(0));
        leader.stop.cancel();
        leader.task.await.unwrap();
    }
}
