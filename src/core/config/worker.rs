//! The section `[worker]`.

use std::{collections::BTreeMap, time::Duration};

use humantime::format_duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Backend, Config, HighQueues, Profile,
    queues::suggestion,
    reading::{Key, Report},
};
use crate::task::{Lane, Queue, QueuePattern, span};

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
    /// The queues it serves: names, patterns (`llm.*`), priorities or lanes, which stand for their queues.
    pub queues: Vec<QueuePattern>,
    /// Starvation guard: a queue with ready tasks that was passed over this often gets the next unreserved
    /// slot. By name; a queue that is not named has the patience of its priority's own queue.
    pub patience: BTreeMap<String, u32>,
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
    /// A task that for so long has no message on its queue, though it waits, is looked for; and a worker that
    /// runs a task for so long is asked whether it does.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub doubt: Duration,
    /// A task is dead as poison after this many workers died running it alone.
    pub crashes: u32,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            slots: 10,
            reserved: 2,
            urgent_claim: Duration::from_millis(4),
            queues: vec![QueuePattern::all()],
            patience: [(Queue::P2, 16), (Queue::P3, 16), (Queue::P4, 32), (Queue::P5, 64), (Queue::P6, 128)]
                .map(|(queue, patience)| (queue.name().to_owned(), patience))
                .into(),
            heartbeat: Duration::from_millis(500),
            lease: Duration::from_secs(3),
            grace: Duration::from_secs(30),
            stop_grace: Duration::from_secs(5),
            hold: Duration::from_millis(100),
            doubt: Duration::from_secs(15),
            crashes: 3,
        }
    }
}

impl WorkerSettings {
    /// How often a queue may be passed over: as itself, or its priority's own queue, is named.
    pub fn patience_of(&self, queue: Queue) -> Option<u32> {
        let own = self.patience.get(queue.name());
        own.or_else(|| self.patience.get(queue.priority().queue().name())).copied()
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

    fn check_patience(&self, known: &[Queue], report: &mut Report) {
        for (name, patience) in &self.patience {
            let key = Key::from("worker.patience").name(name);
            report.at_least_one(key.clone(), *patience);
            if !known.iter().any(|queue| queue.name() == name) {
                let fix = suggestion(name, known.iter().map(|queue| queue.name()));
                report.refuse(&key, *patience, "no queue has this name", fix);
            }
        }
    }

    fn check_doubt(&self, report: &mut Report) {
        if !(Duration::from_secs(1)..=Duration::from_hours(1)).contains(&self.doubt) {
            let shown = format_duration(self.doubt);
            let rule = "messages are on their way for moments: it must be 1s to 1h";
            report.refuse(&Key::from("worker.doubt"), shown, rule, "write for example \"15s\"");
        }
    }
}

pub(super) fn check(config: &Config, report: &mut Report) {
    let settings = &config.worker;
    let known = config.known_queues();
    report.at_least_one("worker.slots", settings.slots);
    report.at_least_one("worker.crashes", settings.crashes);
    let keys = [Key::from("worker.reserved"), Key::from("worker.slots")];
    check_reserved(keys, settings.reserved, settings.slots, &config.served_by(&settings.queues), report);
    check_queues(&Key::from("worker.queues"), &settings.queues, &known, report);
    check_high(&Key::from("worker.queues"), &config.served_by(&settings.queues), config, report);
    settings.check_patience(&known, report);
    report.positive("worker.heartbeat", settings.heartbeat);
    report.positive("worker.hold", settings.hold);
    report.positive("worker.stop_grace", settings.stop_grace);
    settings.check_lease(report);
    settings.check_doubt(report);
}

/// Where one classic queue carries P2 and P3, whoever takes tasks of one gets those of the other as well.
pub(super) fn check_high(key: &Key, queues: &[Queue], config: &Config, report: &mut Report) {
    let is_shared = config.profile == Profile::Cluster
        && config.lanes.high == Backend::Rabbitmq
        && config.rabbitmq.high == HighQueues::Priority;
    if is_shared && queues.contains(&Queue::P2) != queues.contains(&Queue::P3) {
        let rule = "rabbitmq.high is \"priority\", so that P2 and P3 share a queue, and only one is served";
        let fix = "serve both (\"high\"), or set rabbitmq.high to \"quorum\"";
        report.conflict(&[key, &Key::from("rabbitmq.high")], "one of them", rule, fix);
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

/// The queues of a worker or a pool: at least one, none twice, and each there; what a pattern stands for may
/// come later.
pub(super) fn check_queues(key: &Key, patterns: &[QueuePattern], known: &[Queue], report: &mut Report) {
    if patterns.is_empty() {
        let fix = "name queues, or leave the key out for all";
        report.refuse(key, "[]", "a worker without queues never works", fix);
    }
    for (index, pattern) in patterns.iter().enumerate() {
        let shown = format!("{:?}", pattern.as_str());
        if patterns[..index].contains(pattern) {
            report.refuse(&key.index(index), shown, "the queue is named twice", "name it once");
        } else if !pattern.is_open() && !known.iter().any(|queue| pattern.matches(*queue)) {
            let lanes = Lane::ALL.map(Lane::name);
            let fix = suggestion(pattern.as_str(), known.iter().map(|queue| queue.name()).chain(lanes));
            report.refuse(&key.index(index), shown, "no queue has this name", fix);
        }
    }
}
