//! One process that would lead, from its first question to the end of its term.

use std::{pin::pin, time::Duration};

use rand::RngExt;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::Leadership;
use clawpool_backends::store::{ControlStore, Fence, Role};
use clawpool_core::task::ProcessId;

/// A process that would lead a role.
pub(super) struct Candidate<'a, S: ?Sized> {
    pub(super) store: &'a S,
    pub(super) role: Role,
    pub(super) who: ProcessId,
    pub(super) lease: Duration,
    pub(super) leadership: &'a watch::Sender<Leadership>,
}

/// From winning the lease to losing or resigning it.
#[derive(Clone, Copy)]
pub(super) struct Term {
    pub(super) fence: Fence,
    /// Before the request that took or renewed the lease was sent, so never later than the store's own
    /// beginning of it.
    since: Instant,
}

impl<S: ControlStore + ?Sized> Candidate<'_, S> {
    /// A third of the lease, give or take a tenth of it: candidates do not ask in step.
    pub(super) fn pause(&self) -> Duration {
        self.lease.mul_f64(rand::rng().random_range(0.3..0.4))
    }

    /// Asks until this process leads.
    pub(super) async fn elected(&self) -> Term {
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

    /// Works until the work ends, which resigns, or the lease may be another process's, which ends the work.
    pub(super) async fn serve<W, Fut>(&self, term: Term, stop: &CancellationToken, work: &W)
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
            sleep_until(end.min(Instant::now() + pause)).await;
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
