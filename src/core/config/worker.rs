//! The section `[worker]`.

use std::{collections::BTreeMap, time::Duration};

use humantime::format_duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::{Key, Report};
use crate::task::{Queue, span};

/// What one worker process does; a pool may set its own `slots` and `queues`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerSettings {
    /// Tasks at once.
    pub slots: u16,
    /// Of them, kept free for P0 and P1 (INV-4).
    pub reserved: u16,
    /// While P0 and P1 come and their claims take longer than this, and four times as long as the shortest,
    /// the worker's other tasks are slowed (INV-4).
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub urgent_claim: Duration,
    /// The queues it serves.
    pub queues: Vec<Queue>,
    /// Starvation guard: a queue with ready tasks that was passed over this often gets the next unreserved
    /// slot.
    pub patience: BTreeMap<Queue, u32>,
    /// How often a worker says that it lives; 500 ms by default.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub heartbeat: Duration,
    /// A worker silent for this long has lost its tasks.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub lease: Duration,
    /// A stopping worker lets its tasks run this long, then gives them back.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub grace: Duration,
    /// A handler told to stop (deadline, cancellation) has this long before it is taken for hung.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub stop_grace: Duration,
    /// Messages that were fetched and find no free slot are given back after this.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub hold: Duration,
    /// A task is dead as poison after this many workers died running it alone.
    pub crashes: u32,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            slots: 10,
            reserved: 2,
            urgent_claim: Duration::from_millis(4),
            queues: Queue::ALL.to_vec(),
            patience: BTreeMap::from([
                (Queue::High, 16),
                (Queue::P4, 32),
                (Queue::P5, 64),
                (Queue::Background, 128),
            ]),
            heartbeat: Duration::from_millis(500),
            lease: Duration::from_secs(3),
            grace: Duration::from_secs(30),
            stop_grace: Duration::from_secs(5),
            hold: Duration::from_millis(100),
            crashes: 3,
        }
    }
}

impl WorkerSettings {
    pub(super) fn check(&self, report: &mut Report) {
        report.at_least_one("worker.slots", self.slots);
        report.at_least_one("worker.crashes", self.crashes);
        let keys = [Key::from("worker.reserved"), Key::from("worker.slots")];
        check_reserved(keys, self.reserved, self.slots, &self.queues, report);
        check_queues(&Key::from("worker.queues"), &self.queues, report);
        for (queue, patience) in &self.patience {
            report.at_least_one(Key::from("worker.patience").name(queue.name()), *patience);
        }
        report.positive("worker.heartbeat", self.heartbeat);
        report.positive("worker.hold", self.hold);
        report.positive("worker.stop_grace", self.stop_grace);
        self.check_lease(report);
    }

    /// One late heartbeat must not cost a living worker its tasks.
    fn check_lease(&self, report: &mut Report) {
        let least = self.heartbeat.saturating_mul(2);
        if self.lease <= least {
            let shown = format_duration(self.lease);
            let rule = format!("it must be longer than two heartbeats ({})", format_duration(least));
            let keys = [&Key::from("worker.lease"), &Key::from("worker.heartbeat")];
            report.conflict(&keys, shown, rule, "raise it, or shorten worker.heartbeat");
        }
    }
}

/// Of the slots of a worker or a pool some are left for other tasks than P0 and P1. `keys`: of the reserved
/// slots and of the slots.
pub(super) fn check_reserved(
    keys: [Key; 2],
    reserved: u16,
    slots: u16,
    queues: &[Queue],
    report: &mut Report,
) {
    let [key, of] = keys;
    let others = queues.iter().any(|queue| !queue.is_critical());
    if slots > 0 && others && reserved >= slots {
        let rule = format!("it leaves no slot for anything but P0 and P1: {of} is {slots}");
        let fix = format!("set {key} to at most {}, or raise {of}", slots - 1);
        report.conflict(&[&key, &of], reserved, rule, fix);
    }
}

/// The queues of a worker or a pool: at least one, and none twice.
pub(super) fn check_queues(key: &Key, queues: &[Queue], report: &mut Report) {
    if queues.is_empty() {
        let fix = "name queues, or leave the key out for all";
        report.refuse(key, "[]", "a worker without queues never works", fix);
    }
    for (index, queue) in queues.iter().enumerate() {
        if queues[..index].contains(queue) {
            report.refuse(&key.index(index), queue, "the queue is named twice", "name it once");
        }
    }
}
