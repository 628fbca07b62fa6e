use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::task::{Priority, Queue, span};

/// What the seven priorities promise (spec S2).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Classes {
    /// For kinds that no rule matches.
    #[schemars(with = "String")]
    pub default: Priority,
    /// The rules of the configuration are the whole table, in place of coming before the shipped ones.
    pub replace_rules: bool,
    #[serde(rename = "P0")]
    pub p0: Class,
    #[serde(rename = "P1")]
    pub p1: Class,
    #[serde(rename = "P2")]
    pub p2: Class,
    #[serde(rename = "P3")]
    pub p3: Class,
    #[serde(rename = "P4")]
    pub p4: Class,
    #[serde(rename = "P5")]
    pub p5: Class,
    #[serde(rename = "P6")]
    pub p6: Class,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Enqueue to handler start.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub sla: Duration,
    /// Dead-lettered as expired when not started by then.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub ttl: Duration,
    /// How long one attempt may run when its task does not say.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub timeout: Duration,
}

impl Default for Classes {
    fn default() -> Self {
        let class = |sla, ttl, timeout| Class {
            sla: Duration::from_millis(sla),
            ttl: Duration::from_secs(ttl),
            timeout: Duration::from_secs(timeout),
        };
        const HOUR: u64 = 3600;
        Self {
            default: Priority::P4,
            replace_rules: false,
            p0: class(200, 300, 60),
            p1: class(500, 300, 60),
            p2: class(2_000, HOUR, 120),
            p3: class(5_000, HOUR, 300),
            p4: class(30_000, HOUR, 300),
            p5: class(60_000, 24 * HOUR, 600),
            p6: class(300_000, 24 * HOUR, 1800),
        }
    }
}

impl Classes {
    pub const fn get(&self, priority: Priority) -> &Class {
        match priority {
            Priority::P0 => &self.p0,
            Priority::P1 => &self.p1,
            Priority::P2 => &self.p2,
            Priority::P3 => &self.p3,
            Priority::P4 => &self.p4,
            Priority::P5 => &self.p5,
            Priority::P6 => &self.p6,
        }
    }
}

impl Default for Priority {
    /// The middle: P4, as in `Classes::default`.
    fn default() -> Self {
        Self::P4
    }
}

/// How many tasks may wait on each queue; a full queue refuses more (503 with Retry-After).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueueLimits {
    pub limit: u64,
    /// Other limits for single queues: `"critical.p0" = 1000`.
    pub limits: BTreeMap<Queue, u64>,
    /// A task that for so long has no message on its queue, though it waits, is looked for; and a worker that
    /// runs a task for so long is asked whether it does.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub doubt: Duration,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { limit: 2_000_000, limits: BTreeMap::new(), doubt: Duration::from_secs(15) }
    }
}

impl QueueLimits {
    pub fn get(&self, queue: Queue) -> u64 {
        self.limits.get(&queue).copied().unwrap_or(self.limit)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Results {
    /// How long a result is kept when its task does not say.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub ttl: Duration,
    /// A finished task is remembered at least this long, so that a late redelivery does not run it again
    /// (INV-5).
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub dedupe: Duration,
    /// Dead letters are kept this long.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub dead: Duration,
}

impl Default for Results {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(3600),
            dedupe: Duration::from_secs(600),
            dead: Duration::from_secs(30 * 24 * 3600),
        }
    }
}
