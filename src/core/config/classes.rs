//! The section `[classes]`: its own keys, and one table for each priority.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Limits,
    reading::{Key, Report},
};
use crate::task::{Priority, span};

/// What the seven priorities promise (spec S2).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Classes {
    /// For kinds that no rule matches.
    #[schemars(with = "String")]
    pub default: Priority,
    /// The rules of the configuration are the whole table, in place of coming before the shipped ones.
    pub replace_rules: bool,
    /// Somebody is on the line: starts within 200 ms by default.
    #[serde(rename = "P0")]
    pub p0: Class,
    /// What a user says or types: starts within 500 ms by default.
    #[serde(rename = "P1")]
    pub p1: Class,
    /// Answers of language models: start within 2 s by default.
    #[serde(rename = "P2")]
    pub p2: Class,
    /// Work in a browser: starts within 5 s by default.
    #[serde(rename = "P3")]
    pub p3: Class,
    /// Mail, and kinds that no rule matches: start within 30 s by default.
    #[serde(rename = "P4")]
    pub p4: Class,
    /// Scheduled loops: start within a minute by default.
    #[serde(rename = "P5")]
    pub p5: Class,
    /// Background and batches: start within five minutes by default.
    #[serde(rename = "P6")]
    pub p6: Class,
}

/// What one priority promises.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Enqueue to handler start.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub sla: Duration,
    /// The share of starts that is to keep this, below 1: 0.999 leaves one of a thousand.
    pub objective: f64,
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
        let class = |sla, objective, ttl, timeout| Class {
            sla: Duration::from_millis(sla),
            objective,
            ttl: Duration::from_secs(ttl),
            timeout: Duration::from_secs(timeout),
        };
        const HOUR: u64 = 3600;
        Self {
            default: Priority::P4,
            replace_rules: false,
            p0: class(200, 0.999, 300, 60),
            p1: class(500, 0.999, 300, 60),
            p2: class(2_000, 0.99, HOUR, 120),
            p3: class(5_000, 0.99, HOUR, 300),
            p4: class(30_000, 0.99, HOUR, 300),
            p5: class(60_000, 0.99, 24 * HOUR, 600),
            p6: class(300_000, 0.95, 24 * HOUR, 1800),
        }
    }
}

impl Classes {
    /// What a priority promises.
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

    pub(super) fn check(&self, limits: &Limits, report: &mut Report) {
        for priority in Priority::ALL {
            let class = self.get(priority);
            let [sla, ttl, timeout] =
                ["sla", "ttl", "timeout"].map(|name| format!("classes.{priority}.{name}"));
            report.positive(&*sla, class.sla);
            if !(class.objective > 0.0 && class.objective < 1.0) {
                let key = Key::from(&*format!("classes.{priority}.objective"));
                let rule = "it is a share of all starts, more than 0 and less than 1";
                report.refuse(&key, class.objective, rule, "write for example 0.99");
            }
            report.positive(&*ttl, class.ttl);
            report.positive(&*timeout, class.timeout);
            // A task that expires within its SLA would be called dead while it is still on time.
            report.ordered((&*sla, class.sla), (&*ttl, class.ttl));
            report.ordered((&*timeout, class.timeout), ("limits.timeout", limits.timeout));
        }
    }
}

impl Default for Priority {
    /// The middle: P4, as in `Classes::default`.
    fn default() -> Self {
        Self::P4
    }
}
