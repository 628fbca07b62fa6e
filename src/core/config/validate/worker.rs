use humantime::format_duration;

use super::{Config, Key, Report, at_least_one, positive};
use crate::{config::WorkerSettings, task::Queue};

pub(super) fn check(config: &Config, report: &mut Report) {
    let worker = &config.worker;
    at_least_one(&Key::from("worker.slots"), u64::from(worker.slots), report);
    at_least_one(&Key::from("worker.crashes"), u64::from(worker.crashes), report);
    reserved(
        [Key::from("worker.reserved"), Key::from("worker.slots")],
        worker.reserved,
        worker.slots,
        &worker.queues,
        report,
    );
    queues(&Key::from("worker.queues"), &worker.queues, report);
    for (queue, patience) in &worker.patience {
        at_least_one(&Key::from("worker.patience").name(queue.name()), u64::from(*patience), report);
    }
    positive("worker.heartbeat", worker.heartbeat, report);
    positive("worker.hold", worker.hold, report);
    positive("worker.stop_grace", worker.stop_grace, report);
    lease(worker, report);
}

/// One late heartbeat must not cost a living worker its tasks.
fn lease(worker: &WorkerSettings, report: &mut Report) {
    let least = worker.heartbeat.saturating_mul(2);
    if worker.lease <= least {
        let rule = format!("it must be longer than two heartbeats ({})", format_duration(least));
        let keys = [&Key::from("worker.lease"), &Key::from("worker.heartbeat")];
        report.conflict(&keys, format_duration(worker.lease), rule, "raise it, or shorten worker.heartbeat");
    }
}

/// `keys`: of the reserved slots and of the slots.
pub(super) fn reserved(keys: [Key; 2], reserved: u16, slots: u16, queues: &[Queue], report: &mut Report) {
    let [key, of] = keys;
    let others = queues.iter().any(|queue| !queue.is_critical());
    if slots > 0 && others && reserved >= slots {
        let rule = format!("it leaves no slot for anything but P0 and P1: {of} is {slots}");
        report.conflict(
            &[&key, &of],
            reserved,
            rule,
            format!("set {key} to at most {}, or raise {of}", slots - 1),
        );
    }
}

pub(super) fn queues(key: &Key, queues: &[Queue], report: &mut Report) {
    if queues.is_empty() {
        report.refuse(
            key,
            "[]",
            "a worker without queues never works",
            "name queues, or leave the key out for all",
        );
    }
    for (index, queue) in queues.iter().enumerate() {
        if queues[..index].contains(queue) {
            report.refuse(&key.index(index), queue, "the queue is named twice", "name it once");
        }
    }
}
