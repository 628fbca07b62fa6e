//! Holds a role's lease while its work runs.
//!
//! Guarantees: the work of a process is told to end before its lease does, by the monotonic clock, or as soon
//! as another process leads. Never does: keep a work that ends late from writing; its fence does that.

mod candidate;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use candidate::Candidate;
use clawpool_backends::store::{ControlStore, Fence, Role};
use clawpool_core::task::ProcessId;

/// Runs `work` whenever the process `who` leads `role`, until `stop` fires and the work has ended; then gives
/// the role up.
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
    /// The store has given this process the lease.
    Leader,
    /// The store says that another process leads. Told again with each answer.
    Follower,
}

/// As [`lead_while`], and reports meanwhile whether this process leads.
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
