//! The list `[[probes]]`: what else is to be watched, and shown in `/health`.

mod check;
mod layer;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

pub(super) use self::check::check;
pub use self::layer::{Layer, ProbeClass};
use super::{
    FieldTest,
    reading::redaction::{Masked, masked, redact},
};
use crate::task::span;

/// Something that the pool's work depends on, and how it is looked at.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// What it is called in `/health` and in alerts: letters, digits and `. _ -`, 64 at most.
    pub name: String,
    /// How it is looked at.
    pub layer: Layer,
    /// tcp: `host:port`. dns: a name. http, application and deep: `http://…` or `https://…`.
    #[serde(default, serialize_with = "without_password", skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// exec and deep: program and arguments; no shell is involved. Its exit code 0 means that all is well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Of the command: its whole environment, beside PATH, HOME, TMPDIR and the Windows system variables
    /// (INV-10). A value may be `env:NAME` or `file:PATH`.
    #[serde(default, serialize_with = "masked", skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// deep: other probes, by name, that are looked at one after the other; the first that fails ends it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    /// http, application and deep: statuses that are well. Without it 200 to 399, for application and deep
    /// 200 to 299.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<u16>,
    /// application and deep: what a field of the JSON answer must equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<FieldTest>,
    /// Sent with an HTTP request. A value may be `env:NAME` or `file:PATH`.
    #[serde(default, serialize_with = "masked", skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// How much depends on it: critical makes the pool unhealthy when it fails, the others degraded. Where
    /// it is given it also says how often to look: every 5 s, 30 s or 300 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ProbeClass>,
    /// Between two looks; by default that of the class, or of the layer.
    #[serde(default, with = "span::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub interval: Option<Duration>,
    /// A look that takes longer has failed; by default that of the layer, and no longer than the interval.
    #[serde(default, with = "span::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
    /// So many looks in turn must fail before it counts as down; by default that of the layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<u32>,
    /// Answers that take longer, as often in turn, make it degraded. 200ms for tcp, http and dns; zero:
    /// however long.
    #[serde(default, with = "span::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub slow: Option<Duration>,
}

impl Probe {
    /// Between two looks.
    pub fn interval(&self) -> Duration {
        let class = self.class.map(ProbeClass::interval);
        self.interval.or(class).unwrap_or_else(|| self.layer.interval())
    }

    /// For one look.
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or_else(|| self.layer.timeout().min(self.interval()))
    }

    /// How many looks in turn must fail.
    pub fn failures(&self) -> u32 {
        self.failures.unwrap_or_else(|| self.layer.failures())
    }

    /// A longer answer is slow.
    pub fn slow(&self) -> Option<Duration> {
        self.slow.or_else(|| self.layer.slow()).filter(|slow| !slow.is_zero())
    }

    /// Whether an HTTP status says that all is well.
    pub fn takes_status(&self, status: u16) -> bool {
        let success = if self.layer == Layer::Http { 200..=399 } else { 200..=299 };
        if self.status.is_empty() { success.contains(&status) } else { self.status.contains(&status) }
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("name", &self.name)
            .field("layer", &self.layer)
            .field("target", &self.target.as_deref().map(shown))
            .field("command", &self.command)
            .field("env", &Masked(&self.env))
            .field("headers", &Masked(&self.headers))
            .finish_non_exhaustive()
    }
}

/// A target without its password.
fn shown(target: &str) -> String {
    // What has an @ and no scheme may be a password in the wrong place.
    if target.contains("://") || target.contains('@') { redact(target) } else { target.to_owned() }
}

fn without_password<S: Serializer>(target: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    target.as_deref().map(shown).serialize(serializer)
}
