use std::collections::{BTreeMap, BTreeSet};

use super::Page;
use crate::api::{Api, autoscaler, error::ApiError, hosts};
use clawpool_backends::store::WorkerInfo;
use clawpool_engine::client::{PoolStatus, view::HostView};

/// Pools, their workers, and the machines that these run on.
pub(super) struct Workforce {
    pools: Vec<PoolStatus>,
    workers: Vec<WorkerInfo>,
}

impl Workforce {
    pub(super) async fn read(api: &Api) -> Result<Self, ApiError> {
        Ok(Self { pools: autoscaler::pools(api).await?, workers: api.store.workers().await? })
    }

    pub(super) fn show(&self, page: &mut Page) {
        for status in self.pools.iter().filter(|status| !status.dry_run) {
            show_pool(status, page);
        }
        show_workers(&self.workers, page);
        for host in hosts::of(&self.workers) {
            show_host(&host, page);
        }
    }

    pub(super) fn pools(&self) -> BTreeSet<&str> {
        let own = self.pools.iter().map(|status| status.pool.as_str());
        own.chain(self.workers.iter().map(|worker| worker.beat.pool.as_str())).collect()
    }
}

fn show_pool(status: &PoolStatus, page: &mut Page) {
    let pool = &status.pool;
    for (name, size) in [
        ("clawpool_pool_size", status.current),
        ("clawpool_pool_draining", status.draining),
        ("clawpool_pool_wanted", status.wanted),
        ("clawpool_pool_min", status.min),
        ("clawpool_pool_max", status.max),
    ] {
        page.count(name, &[pool], size.into());
    }
    let counts = &status.counts;
    for (action, count) in [("grow", counts.grown), ("shrink", counts.shrunk), ("replace", counts.replaced)] {
        page.count("clawpool_pool_decisions_total", &[pool, action], count);
    }
}

/// What the living workers of a pool say of themselves, together.
#[derive(Clone, Copy, Default)]
struct Together {
    workers: u64,
    slots: u64,
    running: u64,
    cores: f64,
    memory: u64,
}

fn show_workers(workers: &[WorkerInfo], page: &mut Page) {
    // A pool whose workers have all just left shows nought.
    let mut pools: BTreeMap<&str, Together> =
        workers.iter().map(|worker| (&*worker.beat.pool, Together::default())).collect();
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    for beat in workers.iter().filter(|worker| worker.alive).map(|worker| &worker.beat) {
        let together = pools.entry(&beat.pool).or_default();
        let usage = beat.usage.unwrap_or_default();
        together.workers += 1;
        together.slots += u64::from(beat.slots);
        together.running += beat.running.iter().copied().map(u64::from).sum::<u64>();
        together.cores += f64::from(usage.cpu) / 100.0;
        together.memory += usage.memory;
        *versions.entry(beat.version.as_deref().unwrap_or_default()).or_default() += 1;
    }
    for (pool, together) in pools {
        page.count("clawpool_workers", &[pool], together.workers);
        page.count("clawpool_worker_slots", &[pool], together.slots);
        page.count("clawpool_worker_tasks", &[pool], together.running);
        page.set("clawpool_worker_cpu_cores", &[pool], together.cores);
        page.count("clawpool_worker_memory_bytes", &[pool], together.memory);
    }
    for (version, workers) in versions {
        page.count("clawpool_workers_of_version", &[version], workers);
    }
}

#[allow(clippy::cast_precision_loss)]
fn show_host(host: &HostView, page: &mut Page) {
    let of = [host.host.as_str()];
    page.count("clawpool_host_workers", &of, host.workers);
    let Some(machine) = host.machine else { return };
    let disk = machine.disk;
    let network = machine.network;
    for (name, value) in [
        ("clawpool_host_cpus", Some(machine.cpus.into())),
        ("clawpool_host_cpu_ratio", machine.cpu_ratio),
        ("clawpool_host_io_wait_ratio", machine.io_wait_ratio),
        ("clawpool_host_context_switches_per_second", machine.context_switches_per_second),
        ("clawpool_host_memory_used_bytes", Some(machine.memory_used_bytes as f64)),
        ("clawpool_host_memory_bytes", Some(machine.memory_bytes as f64)),
        ("clawpool_host_swap_used_bytes", Some(machine.swap_used_bytes as f64)),
        ("clawpool_host_swap_bytes", Some(machine.swap_bytes as f64)),
        ("clawpool_host_disk_used_bytes", disk.map(|disk| disk.used_bytes as f64)),
        ("clawpool_host_disk_bytes", disk.map(|disk| disk.bytes as f64)),
        ("clawpool_host_disk_read_bytes_per_second", disk.and_then(|disk| disk.read_bytes_per_second)),
        ("clawpool_host_disk_written_bytes_per_second", disk.and_then(|disk| disk.written_bytes_per_second)),
        ("clawpool_host_disk_busy_ratio", disk.and_then(|disk| disk.busy_ratio)),
        ("clawpool_host_disk_queue", disk.and_then(|disk| disk.queue)),
        ("clawpool_host_network_received_bytes_per_second", network.map(|net| net.received_bytes_per_second)),
        ("clawpool_host_network_sent_bytes_per_second", network.map(|net| net.sent_bytes_per_second)),
        (
            "clawpool_host_network_queue_bytes",
            network.and_then(|net| net.queue_bytes).map(|bytes| bytes as f64),
        ),
    ] {
        if let Some(value) = value {
            page.set(name, &of, value);
        }
    }
    for (minutes, load) in ["1", "5", "15"].into_iter().zip(machine.load.into_iter().flatten()) {
        page.set("clawpool_host_load", &[&host.host, minutes], load);
    }
}
