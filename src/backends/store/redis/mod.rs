//! The Store in Redis. Each method is one script, so it happens whole or not at all; all its clocks are the
//! server's. News (a watched task is over, an earlier due time) comes over one subscription for each store.
//!
//! Guarantees: what a method answered is in Redis, and on disk as its `appendfsync` says; no caller polls
//! while its links give a sign of life, and none waits for a link that gives none; an outage makes calls fail
//! with `Unavailable` and is over by itself. Never does: keep anything in this process that Redis does not.

mod admit;
mod claim;
mod connections;
mod control;
mod cursor;
mod dead;
mod error;
mod events;
pub(crate) mod figures;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod journal;
pub(crate) mod lease_end;
mod listing;
mod logs;
mod notes;
pub(crate) mod record;
mod records;
mod schedule;
pub(crate) mod scripts;
pub(crate) mod settle;
mod subscription;
mod tasks;
#[cfg(test)]
pub(crate) mod tests;
mod unreadable;
mod workers;

use std::{sync::OnceLock, time::Duration};

use redis::FromRedisValue;

use self::{
    connections::HeartbeatConnections,
    error::failure,
    events::{Events, Listener},
};
use super::StoreError;
use crate::backend::redis::{
    link::Link,
    script::{Call, Script},
};
use clawpool_core::{
    config::{Config, Results},
    retry::Suspicion,
};

/// A queued task's record outlives the task's time to live by this: until then the queue's sweep has found
/// it.
pub(crate) const MARGIN: Duration = Duration::from_secs(3600);

/// Tasks in one script: as many as one request may bring, so that a batch is one step. The server serves no
/// other client for the few milliseconds that this takes.
const BATCH: usize = 1000;

pub struct RedisStore {
    pub(crate) link: Link,
    /// From the first wait on: most processes never wait.
    listener: OnceLock<Listener>,
    connections: HeartbeatConnections,
    pub(crate) results: Results,
    /// Silence of an owner that allows a takeover.
    pub(crate) quiet: Duration,
    /// The most blame with which a task is not poison.
    pub(crate) bearable: u32,
}

impl RedisStore {
    /// Connects, and refuses a server that would lose tasks.
    pub async fn open(config: &Config) -> Result<Self, StoreError> {
        let link = Link::open(&config.redis).await?;
        Ok(Self {
            link,
            listener: OnceLock::new(),
            connections: HeartbeatConnections::default(),
            results: config.results.clone(),
            quiet: config.worker.heartbeat.mul_f64(1.5),
            bearable: Suspicion::bearable(config.worker.crashes),
        })
    }

    fn events(&self) -> &Events {
        &self.listener.get_or_init(|| Listener::start(&self.link)).events
    }

    pub(crate) fn call(&self, script: &'static Script) -> Call {
        Call::new(script, self.link.base())
    }

    pub(crate) async fn run<T: FromRedisValue>(&self, call: &Call) -> Result<T, StoreError> {
        self.link.run(call).await.map_err(|error| failure(&error))
    }

    /// How long a record is kept that has no result.
    pub(crate) fn remembered(&self) -> u64 {
        millis(self.results.ttl.max(self.results.dedupe))
    }
}

pub(crate) fn millis(span: Duration) -> u64 {
    span.as_millis().try_into().unwrap_or(u64::MAX)
}

/// For values that this crate wrote and cannot read back.
pub(crate) fn corrupt(what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { store: "redis", reason: what.to_string() }
}
