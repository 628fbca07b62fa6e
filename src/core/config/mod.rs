//! Everything a user can set, typed. `Config::default()` is the shipped configuration; `config/default.toml`
//! is the same, commented, and a test holds the two equal.
//!
//! A section `[x]` of the file is the module `x` here, in a file or a folder: its keys, their defaults and
//! their checks lie together there. `reading` is how a file becomes a configuration.
//!
//! Guarantees: a loaded configuration is whole and valid, or loading fails with every mistake in one report
//! (INV-9); secrets never print. Never does: read anything but the file, the environment and the secret files
//! they name.

mod address;
mod advice;
mod api;
mod attempts;
mod autoscale;
mod check;
mod classes;
mod embedded;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod handlers;
mod health;
mod lanes;
mod limits;
mod log;
mod pacing;
mod pools;
mod probes;
mod queues;
mod rabbitmq;
mod reading;
mod redis;
mod reload;
mod results;
mod retry;
mod rules;
mod tracing;
mod worker;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    advice::Advice,
    api::{Api, Scope, Tls, Token},
    attempts::KeptAttempts,
    autoscale::{Autoscale, ForecastMode, Forecasting, Metric, Policy, Season, Target},
    classes::{Class, Classes},
    embedded::{Embedded, Synchronous},
    handlers::{Exec, HandlerSpec, Http, SHIPPED_KINDS},
    health::Health,
    lanes::{Backend, Lanes},
    limits::Limits,
    log::{Log, LogFormat, LogRotation},
    pacing::Pacing,
    pools::{Breaker, Pool, PoolDriver, PoolLimits, Restart, RestartPolicy},
    probes::{Layer, Probe, ProbeClass},
    queues::{QueueLimits, QueueSettings},
    rabbitmq::{HighQueues, Rabbitmq},
    reading::{
        ConfigError, ConfigErrors, Loaded, Origins, SecretFile, Setting, as_variable, nearest, redact,
        variable,
    },
    redis::Redis,
    reload::{Adopted, Part, Reach},
    results::Results,
    retry::{RetryPolicy, RetryTable},
    rules::{FieldTest, Rule},
    tracing::Tracing,
    worker::WorkerSettings,
};

/// The whole configuration.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where tasks and records live; in one SQLite file by default.
    pub profile: Profile,
    /// The file of the embedded profile.
    pub embedded: Embedded,
    /// The Redis of the cluster profile.
    pub redis: Redis,
    /// The RabbitMQ of the cluster profile.
    pub rabbitmq: Rabbitmq,
    /// Which server carries each lane in the cluster profile.
    pub lanes: Lanes,
    /// Where HTTP is served, and to whom.
    pub api: Api,
    /// What is refused at the door.
    pub limits: Limits,
    /// What the seven priorities promise.
    pub classes: Classes,
    /// Queues of one's own, and settings of the others.
    pub queues: Vec<QueueSettings>,
    /// How long finished tasks are kept.
    pub results: Results,
    /// What is kept of each attempt, for people who look at its task.
    pub attempts: KeptAttempts,
    /// What happens after a failure, by class of error.
    pub retry: RetryTable,
    /// What one worker process does.
    pub worker: WorkerSettings,
    /// The background lane's speed limit over all workers together.
    pub pacing: Pacing,
    /// How large a pool should be, and how fast it may change.
    pub autoscale: Autoscale,
    /// What counts as trouble beside servers that do not answer.
    pub health: Health,
    /// What the programs log, how, and where to.
    pub log: Log,
    /// Where the spans of tasks are sent.
    pub tracing: Tracing,
    /// The classification table; the first rule that matches decides. In a file: rules that come before the
    /// shipped ones.
    pub rules: Vec<Rule>,
    /// Handlers that are not Rust code: programs and web services.
    pub handlers: Vec<HandlerSpec>,
    /// Workers that `clawpool up` and `clawpool autoscaler` keep running.
    pub pools: Vec<Pool>,
    /// What else is watched, and shown in `/health`.
    pub probes: Vec<Probe>,
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
            queues: Vec::new(),
            results: Results::default(),
            attempts: KeptAttempts::default(),
            retry: RetryTable::default(),
            worker: WorkerSettings::default(),
            pacing: Pacing::default(),
            autoscale: Autoscale::default(),
            health: Health::default(),
            log: Log::default(),
            tracing: Tracing::default(),
            rules: Rule::shipped(),
            handlers: Vec::new(),
            pools: Vec::new(),
            probes: Vec::new(),
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
