use std::{fmt::Display, time::Duration};

use tokio::time;
use tokio_util::sync::CancellationToken;

use clawpool_backends::{
    path::{Path, PathError},
    store::{Fence, Store, StoreError},
};

/// Entries read, published and removed in one round.
const BATCH: usize = 500;

/// A full queue, or a server that is away: what is due must not wait in a busy loop.
const PAUSE: Duration = Duration::from_millis(500);

/// Moves due tasks to their queues until `stop`. For the leader alone; a fence that is out of date ends it.
pub(crate) async fn promote(store: &dyn Store, path: &dyn Path, fence: Fence, stop: &CancellationToken) {
    let mut outage = Outage::default();
    while !stop.is_cancelled() {
        match round(store, path, fence, stop).await {
            Ok(None) => {
                outage.ended();
                continue;
            }
            Ok(Some((tasks, error))) => outage.report(error.code(), &error, tasks),
            Err(PathError::Store(StoreError::Fenced { .. })) => return,
            Err(error) => outage.report(error.code(), &error, 0),
        }
        stop.run_until_cancelled(time::sleep(PAUSE)).await;
    }
}

/// An outage is told at its beginning, at its end, and when it becomes another one: it may last for hours,
/// with thousands of tasks.
#[derive(Default)]
struct Outage(Option<&'static str>);

impl Outage {
    /// `tasks` is zero where the number is unknown.
    fn report(&mut self, code: &'static str, error: &dyn Display, tasks: usize) {
        if self.0.replace(code) != Some(code) {
            tracing::warn!(code, %error, tasks, "due tasks stay in the schedule set until they can be put \
                on their queues");
        }
    }

    fn ended(&mut self) {
        if self.0.take().is_some() {
            tracing::info!("due tasks go to their queues again");
        }
    }
}

/// One batch; waits for it to be due. Answers how many stay in the set, and why the first of them does.
async fn round(
    store: &dyn Store,
    path: &dyn Path,
    fence: Fence,
    stop: &CancellationToken,
) -> Result<Option<(usize, PathError)>, PathError> {
    let promoted = path.promote(fence, BATCH).await?;
    if promoted.moved + promoted.left == 0 {
        tokio::select! {
            waited = store.wait_due(promoted.next) => waited?,
            () = stop.cancelled() => {}
        }
    }
    Ok(promoted.refusal.map(|error| (promoted.left, error)))
}
