//! The section `[redis]`.

use std::time::Duration;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    address,
    reading::{Report, redaction::redacted},
};
use crate::task::span;

/// How the Redis of the cluster profile is reached.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Redis {
    /// `redis://[user:password@]host:port/db`, or `rediss://` for TLS.
    #[serde(serialize_with = "redacted")]
    #[schemars(with = "String")]
    pub url: SecretString,
    /// Names every key, in one hash slot: `{prefix}:…`.
    pub prefix: String,
    /// A command that takes longer fails.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub timeout: Duration,
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379/0".into(),
            prefix: "clawpool".into(),
            timeout: Duration::from_secs(5),
        }
    }
}

impl Redis {
    pub(super) fn check(&self, report: &mut Report) {
        address::check("redis.url", self.url.expose_secret(), &["redis", "rediss"], report);
        address::check_prefix("redis.prefix", &self.prefix, report);
        report.positive("redis.timeout", self.timeout);
    }
}
