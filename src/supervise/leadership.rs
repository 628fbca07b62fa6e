//! Holds a role's lease while its work runs.

use std::{pin::pin, time::Duration};

use rand::RngExt;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::{
    store::{ControlStore, Fence, Role},
    task::WorkerId,
};

/// Runs `work` whenever `who` leads `role`, until `stop` fires and the work has ended; then gives the role up.
///
/// The token that `work` gets fires at `stop` and as soon as leadership is lost: another one leads, or no renewal has
/// succeeded for a whole lease by the monotonic clock. Its fence keeps a work that ends late from writing.
pub async fn lead_while<S, W, Fut>(
    store: &S,
    role: Role,
    who: WorkerId,
    lease: Duration,
    stop: &CancellationToken,
    work: W,
) where
    S: ControlStore + ?Sized,
    W: Fn(Fence, CancellationToken) -> Fut,
    Fut: Future<Output = ()>,
{
    let candidate = Candidate { store, role, who, lease };
    while let Some(reign) = stop.run_until_cancelled(candidate.elected()).await {
        tracing::info!(role = role.name(), fence = reign.fence.number, "leads");
        candidate.rule(reign, stop, &work).await;
        // Also keeps a work that returns at once from spinning.
        let _ = stop.run_until_cancelled(sleep(candidate.pause())).await;
    }
}

struct Candidate<'a, S: ?Sized> {
    store: &'a S,
    role: Role,
    who: WorkerId,
    lease: Duration,
}

#[derive(Clone, Copy)]
struct Reign {
    fence: Fence,
    /// Before the request that took or renewed the lease was sent, so never later than the store's own beginning of it.
    since: Instant,
}

impl<S: ControlStore + ?Sized> Candidate<'_, S> {
    /// A third of the lease, give or take a tenth of it: candidates do not ask in step.
    fn pause(&self) -> Duration {
        self.lease.mul_f64(rand::rng().random_range(0.3..0.4))
    }

    async fn elected(&self) -> Reign {
        let mut silent = false;
        loop {
            let since = Instant::now();
            match self.store.lead(self.role, self.who, self.lease).await {
                Ok(Some(fence)) => return Reign { fence, since },
                Ok(None) => silent = false,
                Err(error) => {
                    // Once for each outage.
                    if !std::mem::replace(&mut silent, true) {
                        tracing::warn!(role = self.role.name(), %error, "cannot ask for leadership; asking again");
                    }
                }
            }
            sleep(self.pause()).await;
        }
    }

    async fn rule<W, Fut>(&self, reign: Reign, stop: &CancellationToken, work: &W)
    where
        W: Fn(Fence, CancellationToken) -> Fut,
        Fut: Future<Output = ()>,
    {
        let token = stop.child_token();
        let mut work = pin!(work(reign.fence, token.clone()));
        tokio::select! {
            () = &mut work => {
                if let Err(error) = self.store.resign(reign.fence).await {
                    tracing::warn!(role = self.role.name(), %error, "cannot resign; the next leader waits for the lease to end");
                }
            }
            () = self.lost(reign) => {
                tracing::warn!(role = self.role.name(), fence = reign.fence.number, "leads no longer");
                token.cancel();
                work.await;
            }
        }
    }

    /// Renews the lease again and again; returns when it may belong to somebody else.
    async fn lost(&self, mut reign: Reign) {
        let mut pause = self.pause();
        loop {
            let end = reign.since + self.lease;
            let asked = tokio::time::sleep_until(end.min(Instant::now() + pause));
            asked.await;
            let since = Instant::now();
            if since >= end {
                return;
            }
            pause = match timeout_at(end, self.store.lead(self.role, self.who, self.lease)).await {
                Ok(Ok(Some(fence))) if fence == reign.fence => {
                    reign.since = since;
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
