//! Sums the windows of figures that are over up to windows of the next step, once a minute. For the leader
//! alone.
//!
//! Guarantees: a window is summed up once all of it is counted; where nobody led for a while, what is still
//! kept is summed up later; a window that is summed up twice is the same. Never does: count anything itself.

use std::{collections::BTreeMap, time::Duration};

use tokio::time;
use tokio_util::sync::CancellationToken;

use super::{Summed, summed::ATTEMPTS};
use clawpool_backends::store::{Fence, Store, StoreError, Window};
use clawpool_core::{figures::Step, task::Timestamp};

pub(crate) const INTERVAL: Duration = Duration::from_secs(60);
/// A call that began within a window may end some time after it, and the clocks of servers differ a little.
const GRACE: Duration = Duration::from_secs(5);

pub(super) async fn sum_up(store: &dyn Store, fence: Fence, stop: &CancellationToken) {
    while stop.run_until_cancelled(time::sleep(INTERVAL)).await.is_some() {
        if let Err(error) = sum_up_until(store, fence, Timestamp::now()).await {
            tracing::debug!(code = error.code(), %error, "figures are summed up later");
        }
    }
}

async fn sum_up_until(store: &dyn Store, fence: Fence, now: Timestamp) -> Result<(), StoreError> {
    let mut summed = Summed::read(store, ATTEMPTS).await?;
    for step in Step::ALL {
        let Some(finer) = step.finer() else { continue };
        let mut next = summed.next(step, finer, now);
        while next + step.length() + GRACE <= now {
            let window = sum(next, &store.figures(finer, next, next + step.length()).await?);
            if !window.counts.is_empty() {
                store.put_figures(fence, step, &window).await?;
            }
            next = next + step.length();
            summed.set(step, next);
        }
    }
    summed.write(store, ATTEMPTS, fence).await
}

fn sum(at: Timestamp, windows: &[Window]) -> Window {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (name, count) in windows.iter().flat_map(|window| &window.counts) {
        *counts.entry(name.clone()).or_default() += count;
    }
    Window { at, counts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_backends::store::{FigureStore, Role, sqlite::SqliteStore};
    use clawpool_core::{config::Config, task::ProcessId};

    const HOUR: Duration = Duration::from_secs(3600);

    async fn store(folder: &tempfile::TempDir) -> (SqliteStore, Fence) {
        let mut config = Config::default();
        config.embedded.data = folder.path().into();
        let store = SqliteStore::open(&config).await.unwrap();
        let fence =
            clawpool_backends::store::ControlStore::lead(&store, Role::Maintenance, ProcessId::new(), HOUR);
        let fence = fence.await.unwrap().unwrap();
        (store, fence)
    }

    fn window(at: Timestamp, count: u64) -> Window {
        Window { at, counts: BTreeMap::from([("a".to_owned(), count)]) }
    }

    /// So long before `now`.
    fn ago(now: Timestamp, seconds: u64) -> Timestamp {
        Timestamp::from_millis(now.as_millis() - seconds * 1000)
    }

    #[tokio::test]
    async fn windows_that_are_over_are_summed_up_once() {
        let folder = tempfile::tempdir().unwrap();
        let (store, fence) = store(&folder).await;
        let minute = Step::Minute.window(ago(Timestamp::now(), 600));
        for second in [0, 10, 50, 60] {
            let at = minute + Duration::from_secs(second);
            store.put_figures(fence, Step::TenSeconds, &window(at, 1)).await.unwrap();
        }
        let early = minute + Duration::from_secs(60);
        sum_up_until(&store, fence, early).await.unwrap();
        let minutes = async || store.figures(Step::Minute, minute, minute + HOUR).await.unwrap();
        assert!(minutes().await.is_empty(), "its last calls may be under way");
        sum_up_until(&store, fence, early + GRACE).await.unwrap();
        assert_eq!(minutes().await, [window(minute, 3)]);
        sum_up_until(&store, fence, early + Duration::from_secs(120)).await.unwrap();
        assert_eq!(minutes().await, [window(minute, 3), window(early, 1)]);
    }

    #[tokio::test]
    async fn every_step_is_made_in_its_time_and_an_outage_is_made_up_for() {
        let folder = tempfile::tempdir().unwrap();
        let (store, fence) = store(&folder).await;
        let now = Timestamp::now();
        let hour = Step::Hour.window(ago(now, 2 * 3600));
        for minute in 0..60 {
            let at = hour + Duration::from_secs(60 * minute);
            store.put_figures(fence, Step::Minute, &window(at, 2)).await.unwrap();
        }
        sum_up_until(&store, fence, now).await.unwrap();
        let quarters = store.figures(Step::QuarterHour, hour, now).await.unwrap();
        assert_eq!(quarters.iter().map(|window| window.counts["a"]).collect::<Vec<_>>(), [30; 4]);
        let hours = store.figures(Step::Hour, hour, now).await.unwrap();
        assert_eq!(hours, [window(hour, 120)]);
    }
}
