use std::time::Duration;

use clawpool_core::{
    config::{Autoscale, Config, Pool},
    task::{Queue, QueuePattern},
};

/// How one pool is to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub pool: String,
    /// Of one worker.
    pub slots: u16,
    /// What it serves.
    pub queues: Vec<QueuePattern>,
    pub settings: Autoscale,
    /// The workers' lease: one that is silent for so long is dead.
    pub lease: Duration,
    /// Bytes that one worker may use, where there is a limit.
    pub memory: Option<u64>,
}

impl Plan {
    pub fn serves(&self, queue: Queue) -> bool {
        self.queues.iter().any(|pattern| pattern.matches(queue))
    }

    pub fn new(config: &Config, pool: &Pool) -> Self {
        Self {
            pool: pool.name.clone(),
            slots: pool.slots.unwrap_or(config.worker.slots),
            queues: config.patterns_of(pool),
            settings: pool.autoscale(&config.autoscale),
            lease: config.worker.lease,
            memory: pool.max_memory.map(|limit| limit.as_u64()),
        }
    }
}
