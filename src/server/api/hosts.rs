use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{Json, extract::State};

use super::{Api, caller::Caller, error::ApiError};
use clawpool_backends::store::WorkerInfo;
use clawpool_engine::client::view::{HostView, HostsView};

pub(super) async fn list(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<HostsView>, ApiError> {
    caller.oversees()?;
    Ok(Json(HostsView { items: of(&api.store.workers().await?) }))
}

/// The machines that live workers say they are on, by name.
pub(super) fn of(workers: &[WorkerInfo]) -> Vec<HostView> {
    let mut hosts: BTreeMap<&str, Vec<&WorkerInfo>> = BTreeMap::new();
    for worker in workers.iter().filter(|worker| worker.alive) {
        hosts.entry(&worker.beat.host).or_default().push(worker);
    }
    hosts.into_iter().map(|(host, workers)| view(host, &workers)).collect()
}

fn view(host: &str, workers: &[&WorkerInfo]) -> HostView {
    let beats = || workers.iter().map(|worker| &worker.beat);
    let names = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
    let seen = workers.iter().filter(|worker| worker.beat.machine.is_some());
    HostView {
        host: host.to_owned(),
        workers: workers.len() as u64,
        slots: beats().map(|beat| u64::from(beat.slots)).sum(),
        running: beats().flat_map(|beat| &beat.running).copied().map(u64::from).sum(),
        pools: names(beats().map(|beat| beat.pool.as_str()).collect()),
        versions: names(beats().filter_map(|beat| beat.version.as_deref()).collect()),
        machine: seen.max_by_key(|worker| worker.last_beat).and_then(|worker| worker.beat.machine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_backends::store::conformance::beat_of;
    use clawpool_core::{
        figures::Machine,
        task::{ProcessId, Timestamp},
    };
    use std::time::Duration;

    fn worker(host: &str, heard: u64, cpus: Option<u32>, version: &str) -> WorkerInfo {
        let machine = cpus.map(|cpus| Machine { cpus, ..Machine::default() });
        let version = Some(version.to_owned());
        let beat = beat_of(ProcessId::new(), Duration::from_secs(3));
        let beat = clawpool_backends::store::Beat { host: host.into(), machine, version, ..beat };
        WorkerInfo { beat, beats: 1, last_beat: Timestamp::from_millis(heard), alive: true }
    }

    #[test]
    fn a_host_is_as_its_worker_that_was_heard_last_has_seen_it() {
        let gone = WorkerInfo { alive: false, ..worker("gone", 9, Some(1), "1") };
        let workers = [
            worker("b", 1, Some(2), "2"),
            worker("b", 3, Some(3), "1"),
            worker("b", 5, None, "2"),
            worker("a", 1, None, "1"),
            gone,
        ];
        let hosts = of(&workers);
        let seen: Vec<_> =
            hosts.iter().map(|host| (&*host.host, host.workers, host.versions.len())).collect();
        assert_eq!(seen, [("a", 1, 1), ("b", 3, 2)]);
        assert_eq!(hosts[1].machine.unwrap().cpus, 3);
        assert!(hosts[0].machine.is_none());
    }
}
