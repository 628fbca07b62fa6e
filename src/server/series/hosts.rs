//! The figures of machines over time: ten seconds each for an hour, a minute for a day, a quarter of an hour
//! for thirty days. For the leader alone, which reads them off the heartbeats that are there.
//!
//! Guarantees: bounded, however many machines there are; a machine costs one value a window, and workers and
//! heartbeats nothing. Never does: look at a machine itself.

use std::{collections::BTreeMap, time::Duration};

use futures::future::BoxFuture;
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::summed::{HOSTS, Summed};
use clawpool_backends::store::{Fence, HostWindow, Store, StoreError, WorkerInfo};
use clawpool_core::{
    figures::{HostFigures, Step},
    task::Timestamp,
};

/// Of more machines, those whose names come first.
pub(crate) const MOST_HOSTS: usize = 100;
/// The steps that are summed up, each from the one before.
const LONGER: [(Step, Step); 2] = [(Step::Minute, Step::TenSeconds), (Step::QuarterHour, Step::Minute)];
const READINGS: Duration = Step::TenSeconds.length();
/// Readings to one summing up.
const SUM_EVERY: u32 = 6;

pub(crate) async fn keep(store: &dyn Store, fence: Fence, stop: &CancellationToken) {
    let mut times = time::interval(READINGS);
    times.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut readings = 0_u32;
    while stop.run_until_cancelled(times.tick()).await.is_some() {
        readings = readings.wrapping_add(1);
        let now = Timestamp::now();
        let kept = async {
            read(store, fence, now).await?;
            if readings.is_multiple_of(SUM_EVERY) { sum_up_until(store, fence, now).await } else { Ok(()) }
        };
        if let Err(error) = kept.await {
            tracing::debug!(code = error.code(), %error, "the figures of machines are kept later");
        }
    }
}

/// Puts down what the machines of live workers are doing.
async fn read(store: &dyn Store, fence: Fence, now: Timestamp) -> Result<(), StoreError> {
    let hosts = of(&store.workers().await?);
    if hosts.is_empty() {
        return Ok(());
    }
    let window = HostWindow { at: Step::TenSeconds.window(now), hosts };
    store.put_host_figures(fence, Step::TenSeconds, &window).await
}

/// Each machine as its worker that was heard last has seen it.
fn of(workers: &[WorkerInfo]) -> BTreeMap<String, HostFigures> {
    let mut seen: Vec<&WorkerInfo> =
        workers.iter().filter(|worker| worker.alive && worker.beat.machine.is_some()).collect();
    seen.sort_unstable_by_key(|worker| worker.last_beat);
    let figures = |worker: &WorkerInfo| {
        let machine = worker.beat.machine.as_ref()?;
        Some((worker.beat.host.clone(), HostFigures::of(machine)))
    };
    let mut hosts: BTreeMap<String, HostFigures> = seen.into_iter().filter_map(figures).collect();
    while hosts.len() > MOST_HOSTS {
        hosts.pop_last();
    }
    hosts
}

async fn sum_up_until(store: &dyn Store, fence: Fence, now: Timestamp) -> Result<(), StoreError> {
    let mut summed = Summed::read(store, HOSTS).await?;
    for (step, finer) in LONGER {
        let mut next = summed.next(step, finer, now);
        while next + step.length() <= now {
            let windows = store.host_figures(finer, next, next + step.length()).await?;
            if let Some(window) = together(step, windows).pop() {
                store.put_host_figures(fence, step, &window).await?;
            }
            next = next + step.length();
            summed.set(step, next);
        }
    }
    summed.write(store, HOSTS, fence).await
}

/// Windows of a step, from shorter ones.
fn together(step: Step, windows: Vec<HostWindow>) -> Vec<HostWindow> {
    let mut longer: Vec<HostWindow> = Vec::new();
    for window in windows {
        let at = step.window(window.at);
        match longer.last_mut().filter(|last| last.at == at) {
            Some(last) => merge(&mut last.hosts, window.hosts),
            None => longer.push(HostWindow { at, hosts: window.hosts }),
        }
    }
    longer
}

fn merge(hosts: &mut BTreeMap<String, HostFigures>, others: BTreeMap<String, HostFigures>) {
    for (host, figures) in others {
        if let Some(own) = hosts.get_mut(&host) {
            own.merge(&figures);
        } else if hosts.len() < MOST_HOSTS {
            hosts.insert(host, figures);
        }
    }
}

/// The windows of a step that have figures, from the one that `from` lies in on. Of the last ones, which are
/// not summed up yet, what is known by now.
pub(crate) async fn windows(
    store: &dyn Store,
    step: Step,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<HostWindow>, StoreError> {
    let summed = Summed::read(store, HOSTS).await?;
    of_step(store, &summed, step, step.window(from), to).await
}

fn of_step<'a>(
    store: &'a dyn Store,
    summed: &'a Summed,
    step: Step,
    from: Timestamp,
    to: Timestamp,
) -> BoxFuture<'a, Result<Vec<HostWindow>, StoreError>> {
    Box::pin(async move {
        let Some((_, finer)) = LONGER.into_iter().find(|(longer, _)| *longer == step) else {
            return store.host_figures(step, from, to).await;
        };
        let summed_to = summed.end(step).map_or(from, |end| end.clamp(from, to.max(from)));
        let mut windows = store.host_figures(step, from, summed_to).await?;
        windows.extend(together(step, of_step(store, summed, finer, summed_to, to).await?));
        Ok(windows)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_backends::store::{
        Beat, ControlStore, FigureStore, Role, WorkerStore, conformance::beat_of, sqlite::SqliteStore,
    };
    use clawpool_core::{config::Config, figures::Machine, task::ProcessId};

    const HOUR: Duration = Duration::from_secs(3600);

    async fn store(folder: &tempfile::TempDir) -> (SqliteStore, Fence) {
        let mut config = Config::default();
        config.embedded.data = folder.path().into();
        let store = SqliteStore::open(&config).await.unwrap();
        let fence = store.lead(Role::Maintenance, ProcessId::new(), HOUR).await.unwrap().unwrap();
        (store, fence)
    }

    fn beat(host: &str, cpu: f64) -> Beat {
        let machine = Machine { cpus: 2, cpu_ratio: Some(cpu), ..Machine::default() };
        Beat { host: host.into(), machine: Some(machine), ..beat_of(ProcessId::new(), HOUR) }
    }

    fn cpu(window: &HostWindow, host: &str) -> (u32, Option<f64>) {
        let figures = &window.hosts[host];
        (figures.samples(), figures.machine().cpu_ratio)
    }

    #[tokio::test]
    async fn machines_are_read_off_heartbeats_and_summed_up() {
        let folder = tempfile::tempdir().unwrap();
        let (store, fence) = store(&folder).await;
        let now = Timestamp::now();
        let quarter = Step::QuarterHour.window(Timestamp::from_millis(now.as_millis() - 2 * 900_000));
        for (number, busy) in [0.0, 1.0, 0.5].into_iter().enumerate() {
            store.beat(&beat("a", busy)).await.unwrap();
            let at = quarter + Duration::from_secs(30 * number as u64);
            read(&store, fence, at).await.unwrap();
        }
        let short = windows(&store, Step::TenSeconds, quarter, now).await.unwrap();
        let seen: Vec<_> = short.iter().map(|window| (window.at, cpu(window, "a"))).collect();
        let at = |seconds| quarter + Duration::from_secs(seconds);
        assert_eq!(seen, [(at(0), (1, Some(0.0))), (at(30), (1, Some(1.0))), (at(60), (1, Some(0.5)))]);
        let minutes = async || -> Vec<_> {
            let windows = windows(&store, Step::Minute, quarter, now).await.unwrap();
            windows.iter().map(|window| (window.at, cpu(window, "a"))).collect()
        };
        let expected = [(at(0), (2, Some(0.5))), (at(60), (1, Some(0.5)))];
        assert_eq!(minutes().await, expected, "before anything is summed up");
        sum_up_until(&store, fence, at(60)).await.unwrap();
        assert_eq!(minutes().await, expected, "half of it summed up");
        assert_eq!(store.host_figures(Step::Minute, quarter, now).await.unwrap().len(), 1);
        sum_up_until(&store, fence, now).await.unwrap();
        assert_eq!(minutes().await, expected, "all of it");
        let quarters = windows(&store, Step::QuarterHour, quarter, now).await.unwrap();
        assert_eq!(cpu(&quarters[0], "a"), (3, Some(0.5)));
    }

    #[test]
    fn more_machines_than_are_kept_are_left_out() {
        let worker = |number: usize| WorkerInfo {
            beat: beat(&format!("host-{number:03}"), 0.5),
            beats: 1,
            last_beat: Timestamp::from_millis(number as u64),
            alive: true,
        };
        let workers: Vec<WorkerInfo> = (0..MOST_HOSTS + 5).map(worker).collect();
        let hosts = of(&workers);
        assert_eq!(hosts.len(), MOST_HOSTS);
        assert!(hosts.contains_key("host-000") && !hosts.contains_key("host-100"));
        let mut merged = hosts;
        merge(&mut merged, BTreeMap::from([("other".to_owned(), HostFigures::of(&Machine::default()))]));
        assert_eq!(merged.len(), MOST_HOSTS);
    }
}
