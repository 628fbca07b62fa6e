//! What each metric of the recorder is, for the readers of `/metrics`.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// To be called once, after the recorder is there.
pub(super) fn describe_all() {
    describe_gauge!("clawpool_queue_ready", "Tasks that wait on the queue.");
    describe_gauge!("clawpool_queue_oldest_seconds", Unit::Seconds, "Age of the task at the queue's head.");
    describe_gauge!("clawpool_queue_in_flight", "Tasks of the queue that run, as the workers last said.");
    describe_gauge!("clawpool_queue_paused", "1 while nothing of the queue is started.");
    describe_counter!("clawpool_tasks_enqueued_total", "Tasks that were accepted.");
    describe_counter!("clawpool_tasks_completed_total", "Tasks that were completed.");
    describe_counter!("clawpool_tasks_retried_total", "Attempts that failed and are retried.");
    describe_counter!("clawpool_tasks_dead_total", "Tasks that became dead letters.");
    describe_counter!("clawpool_tasks_cancelled_total", "Tasks that were cancelled.");
    describe_gauge!("clawpool_pool_size", "Workers of the pool.");
    describe_gauge!("clawpool_pool_draining", "Workers of the pool that finish what they run, and leave.");
    describe_gauge!("clawpool_pool_wanted", "Workers that the pool is to have.");
    describe_gauge!("clawpool_pool_min", "The fewest workers that the pool may have.");
    describe_gauge!("clawpool_pool_max", "The most workers that the pool may have.");
    describe_counter!("clawpool_pool_decisions_total", "Changes of the pool's size, by what was done.");
    describe_gauge!("clawpool_workers", "Live workers.");
    describe_gauge!("clawpool_worker_slots", "Tasks that the live workers can run at once.");
    describe_gauge!("clawpool_worker_tasks", "Tasks that the live workers run.");
    describe_gauge!("clawpool_worker_cpu_cores", "Processor time that the live workers take, in cores.");
    describe_gauge!("clawpool_worker_memory_bytes", Unit::Bytes, "Memory of the live workers.");
    describe_counter!("clawpool_attempts_total", "Attempts that ended, by how they ended.");
    describe_counter!("clawpool_late_starts_total", "Attempts that began later than their class promises.");
    describe_counter!("clawpool_tasks_recovered_total", "Tasks completed after an attempt that had failed.");
    describe_counter!("clawpool_tenant_attempts_total", "Attempts of a customer's tasks.");
    describe_counter!("clawpool_spans_dropped_total", "Spans of this process that no collector took.");
    describe_gauge!("clawpool_build_info", "Always 1; its label is the version of this program.");
    describe_histogram!("clawpool_http_request_seconds", Unit::Seconds, "How long requests took.");
}
