use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// The background lane's speed limit over all workers together.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pacing {
    /// Tasks a second.
    pub per_second: f64,
    /// Tasks that may start at once after a quiet time.
    pub burst: u32,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { per_second: 100.0, burst: 100 }
    }
}
