//! What each metric of `/metrics` is called, which labels it has, and what it says. `docs/monitoring.md` has
//! the same table.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// What `/metrics` tells of one thing.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, help }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, labels, help }
}

const QUEUE: &[&str] = &["queue"];
const KIND: &[&str] = &["queue", "kind"];
const POOL: &[&str] = &["pool"];
const HOST: &[&str] = &["host"];
const REQUEST: &[&str] = &["method", "route", "status"];

/// Of the whole pool, read from the store: every dispatcher tells the same.
#[rustfmt::skip]
pub const WHOLE: &[Metric] = &[
    gauge("clawpool_queue_ready", QUEUE, "Tasks that wait on the queue."),
    gauge("clawpool_queue_oldest_seconds", QUEUE, "Age of the task at the queue's head; 0 where none waits."),
    gauge("clawpool_queue_in_flight", QUEUE, "Tasks of the queue that run, as the workers last said."),
    gauge("clawpool_queue_paused", QUEUE, "1 while nothing of the queue is started."),
    gauge("clawpool_queue_promise_seconds", QUEUE, "Tasks of the queue are to start within this time."),
    gauge("clawpool_queue_objective_ratio", QUEUE, "The share of starts that is to keep the promise."),
    counter("clawpool_tasks_enqueued_total", QUEUE, "Tasks that were accepted."),
    counter("clawpool_tasks_completed_total", QUEUE, "Tasks that were completed."),
    counter("clawpool_tasks_retried_total", QUEUE, "Attempts that failed and are retried."),
    counter("clawpool_tasks_dead_total", QUEUE, "Tasks that became dead letters."),
    counter("clawpool_tasks_cancelled_total", QUEUE, "Tasks that were cancelled."),
    counter("clawpool_attempts_total", &["queue", "kind", "pool", "version", "outcome", "class"],
        "Attempts that ended, by how they ended, the class of their error and the worker's version."),
    counter("clawpool_starts_total", QUEUE, "Attempts that began, each counted when it ended."),
    counter("clawpool_late_starts_total", QUEUE, "Those that began later than their class promises."),
    counter("clawpool_tasks_recovered_total", KIND, "Tasks completed after an attempt that had failed."),
    counter("clawpool_tenant_attempts_total", &["tenant", "outcome"], "Attempts of a customer's tasks."),
    histogram("clawpool_task_wait_seconds", KIND, "From when a task could start to its start."),
    histogram("clawpool_task_run_seconds", KIND, "From the start of an attempt to its end."),
    gauge("clawpool_schedule_lag_seconds", &[], "How long the earliest task of the schedule set is overdue."),
    gauge("clawpool_pool_size", POOL, "Workers of the pool."),
    gauge("clawpool_pool_draining", POOL, "Workers of the pool that finish what they run, and leave."),
    gauge("clawpool_pool_wanted", POOL, "Workers that the pool is to have."),
    gauge("clawpool_pool_min", POOL, "The fewest workers that the pool may have."),
    gauge("clawpool_pool_max", POOL, "The most workers that the pool may have."),
    counter("clawpool_pool_decisions_total", &["pool", "action"],
        "Changes of the pool's size, by what was done."),
    gauge("clawpool_workers", POOL, "Live workers."),
    gauge("clawpool_workers_of_version", &["version"], "Live workers of one version of the program."),
    gauge("clawpool_worker_slots", POOL, "Tasks that the live workers can run at once."),
    gauge("clawpool_worker_tasks", POOL, "Tasks that the live workers run."),
    gauge("clawpool_worker_cpu_cores", POOL, "Processor time that the live workers take, in cores."),
    gauge("clawpool_worker_memory_bytes", POOL, "Memory of the live workers."),
    counter("clawpool_worker_crashes_total", POOL, "Workers that ended and should not have."),
    counter("clawpool_worker_restarts_total", POOL, "Workers that took the place of one that had ended."),
    gauge("clawpool_host_cpu_ratio", HOST, "Of all processors, the share that is busy."),
    gauge("clawpool_host_io_wait_ratio", HOST, "The share of processor time that waits for disks (Linux)."),
    gauge("clawpool_host_cpus", HOST, "Processors."),
    gauge("clawpool_host_load", &["host", "minutes"], "Processes that want to run, on average (Unix)."),
    gauge("clawpool_host_context_switches_per_second", HOST, "Changes of the running thread (Linux)."),
    gauge("clawpool_host_memory_used_bytes", HOST, "Memory in use."),
    gauge("clawpool_host_memory_bytes", HOST, "Memory."),
    gauge("clawpool_host_swap_used_bytes", HOST, "Swap space in use."),
    gauge("clawpool_host_swap_bytes", HOST, "Swap space."),
    gauge("clawpool_host_disk_used_bytes", HOST, "In use of the disk that the workers' folder is on."),
    gauge("clawpool_host_disk_bytes", HOST, "Of the disk that the workers' folder is on."),
    gauge("clawpool_host_disk_read_bytes_per_second", HOST, "Read from all disks."),
    gauge("clawpool_host_disk_written_bytes_per_second", HOST, "Written to all disks."),
    gauge("clawpool_host_disk_busy_ratio", HOST, "The share of time that the busiest disk was busy (Linux)."),
    gauge("clawpool_host_disk_queue", HOST, "Requests at the disk with the most, on average (Linux)."),
    gauge("clawpool_host_network_received_bytes_per_second", HOST, "Received, loopback left out."),
    gauge("clawpool_host_network_sent_bytes_per_second", HOST, "Sent, loopback left out."),
    gauge("clawpool_host_network_queue_bytes", HOST, "In the buffers of all TCP connections (Linux)."),
    gauge("clawpool_host_workers", HOST, "Live workers of the host."),
    counter("clawpool_alerts_total", &["event"], "Alerts that were written to the journal."),
];

/// Of the dispatcher that is asked: what it did and what it found.
#[rustfmt::skip]
pub const OWN: &[Metric] = &[
    gauge("clawpool_alerts_firing", &["event", "code", "level"], "What is wrong now, by its event."),
    gauge("clawpool_server_up", &["server"], "1 while the server answers and takes what it is sent."),
    gauge("clawpool_probe_up", &["probe"], "1 while what the probe looks at is well."),
    gauge("clawpool_loops_running", &[], "Loops of this dispatcher, such as the promoter."),
    gauge("clawpool_loops_stuck", &[], "Those that stand still."),
    gauge("clawpool_connections", &[], "Open connections to the HTTP API."),
    gauge("clawpool_event_streams", &[], "Open streams of events (GET /v1/events)."),
    counter("clawpool_event_streams_refused_total", &[], "Streams that were refused: too many were open."),
    counter("clawpool_event_streams_cut_total", &[], "Streams that were cut: their readers took nothing."),
    counter("clawpool_rejects_total", &["code"], "Tasks that were refused at the door."),
    histogram("clawpool_round_trip_seconds", &["server", "operation"],
        "From a request to a broker or store to its answer."),
    counter("clawpool_reconnects_total", &["server"], "Connections to a server that were lost and replaced."),
    histogram("clawpool_http_request_seconds", REQUEST, "How long requests took that did not ask to wait."),
    histogram("clawpool_http_wait_seconds", REQUEST,
        "How long requests took that asked to wait (?wait=, events)."),
    counter("clawpool_spans_dropped_total", &[], "Spans of this process that no collector took."),
    gauge("clawpool_build_info", &["version"], "Always 1; its label is the version of this program."),
    counter("process_cpu_seconds_total", &[], "Processor time that this process took."),
    gauge("process_resident_memory_bytes", &[], "Memory of this process."),
    gauge("process_virtual_memory_bytes", &[], "Address space of this process."),
    gauge("process_open_fds", &[], "Files and connections that this process has open."),
    gauge("process_max_fds", &[], "Files and connections that this process may have open."),
    gauge("process_start_time_seconds", &[], "When this process began, in seconds since 1970."),
];

/// Each of them.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    WHOLE.iter().chain(OWN)
}

/// To be called once, after the recorder is there.
pub(super) fn describe_all() {
    for metric in all() {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.help),
            Kind::Histogram => describe_histogram!(metric.name, metric.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(metrics: &[Metric]) -> String {
        let row = |metric: &Metric| {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            format!(
                "| `{}` | {} | {} | {} |\n",
                metric.name,
                metric.kind.name(),
                labels.join(", "),
                metric.help
            )
        };
        metrics.iter().map(row).collect()
    }

    #[test]
    fn the_page_on_monitoring_has_every_metric() {
        let page = include_str!("../../../docs/monitoring.md");
        for metrics in [WHOLE, OWN] {
            let table = table(metrics);
            assert!(page.contains(&table), "docs/monitoring.md lacks this table:\n{table}");
        }
    }
}
