//! Everything a user can set, typed. `Config::default()` is the shipped configuration; `config/default.toml`
//! is the same, commented, and a test holds the two equal.
//!
//! Guarantees: a loaded configuration is whole and valid, or loading fails with every mistake in one report
//! (INV-9); secrets never print. Never does: read anything but the file, the environment and the secret files
//! they name.

mod advice;
mod api;
mod autoscale;
mod classes;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod handlers;
mod key;
mod load;
mod log;
mod nearest;
mod pools;
mod read;
mod report;
mod restart;
mod rules;
mod secret;
mod served;
mod servers;
mod shape;
mod size;
mod source;
mod validate;
mod worker;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use advice::Advice;
pub use api::{Api, Limits, Scope, Token};
pub use autoscale::{Autoscale, ForecastMode, Forecasting, Metric, Policy, Season, Target};
pub use classes::{Class, Classes, QueueLimits, Results};
pub use error::{ConfigError, ConfigErrors};
pub use handlers::{Exec, HandlerSpec, Http, SHIPPED_KINDS};
pub use log::{Log, LogFormat, LogRotation};
pub use nearest::nearest;
pub use pools::{Pool, PoolDriver, PoolLimits};
pub use restart::{Breaker, Restart, RestartPolicy};
pub use rules::{FieldTest, Rule};
pub use servers::{Backend, Embedded, Lanes, Rabbitmq, Redis, Synchronous};
pub use source::{as_variable, variable};
pub use worker::{Pacing, WorkerSettings};

pub use crate::retry::{RetryPolicy, RetryTable};

/// The whole configuration.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub profile: Profile,
    pub embedded: Embedded,
    pub redis: Redis,
    pub rabbitmq: Rabbitmq,
    pub lanes: Lanes,
    pub api: Api,
    pub limits: Limits,
    pub classes: Classes,
    pub queues: QueueLimits,
    pub results: Results,
    pub retry: RetryTable,
    pub worker: WorkerSettings,
    pub pacing: Pacing,
    pub autoscale: Autoscale,
    pub log: Log,
    /// The classification table; the first rule that matches decides. In a file: rules that come before the
    /// shipped ones.
    pub rules: Vec<Rule>,
    /// Handlers that are not Rust code: programs and web services.
    pub handlers: Vec<HandlerSpec>,
    /// Workers that `clawpool up` and `clawpool autoscaler` keep running.
    pub pools: Vec<Pool>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            embedded: Embedded::default(),
            redis: Redis::default(),
            rabbitmq: Rabbitmq::default(),
            lanes: Lanes::default(),
            api: Api::default(),
            limits: Limits::default(),
            classes: Classes::default(),
            queues: QueueLimits::default(),
            results: Results::default(),
            retry: RetryTable::default(),
            worker: WorkerSettings::default(),
            pacing: Pacing::default(),
            autoscale: Autoscale::default(),
            log: Log::default(),
            rules: Rule::shipped(),
            handlers: Vec::new(),
            pools: Vec::new(),
        }
    }
}

/// Where tasks and records live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// One SQLite file; no servers.
    #[default]
    Embedded,
    /// RabbitMQ and Redis.
    Cluster,
}

#[cfg(test)]
mod tests;
