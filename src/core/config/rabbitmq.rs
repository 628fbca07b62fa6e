//! The section `[rabbitmq]`.

use std::time::Duration;

use humantime::format_duration;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    address,
    reading::{
        Key, Report,
        redaction::{addresses, redact, redacted},
    },
};
use crate::task::span;

/// How the RabbitMQ of the cluster profile is reached, and what its links carry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rabbitmq {
    /// `amqp://user:password@host:port/vhost`; of a cluster several, with commas between them.
    #[serde(serialize_with = "redacted")]
    #[schemars(with = "String")]
    pub url: SecretString,
    /// Names every queue and exchange: `prefix.v1.high.p2`, `prefix.ingress`.
    pub prefix: String,
    /// What carries P2 and P3.
    pub high: HighQueues,
    /// AMQP heartbeat; a hung peer is noticed after two.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub heartbeat: Duration,
    /// How long a publish waits for its confirm.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub confirm_timeout: Duration,
    /// Messages on their way to one consumer at most.
    pub prefetch: u16,
}

/// What carries P2 and P3 on RabbitMQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HighQueues {
    /// A quorum queue each: a node that is lost costs nothing.
    Quorum,
    /// One classic priority queue (`x-max-priority` 10) for both, for a single node.
    Priority,
}

impl Default for Rabbitmq {
    fn default() -> Self {
        Self {
            url: "amqp://guest:guest@127.0.0.1:5672/%2f".into(),
            prefix: "clawpool".into(),
            high: HighQueues::Quorum,
            heartbeat: Duration::from_secs(2),
            confirm_timeout: Duration::from_secs(5),
            prefetch: 256,
        }
    }
}

impl Rabbitmq {
    pub(super) fn check(&self, report: &mut Report) {
        for address in self.addresses() {
            address::check("rabbitmq.url", address, &["amqp", "amqps"], report);
        }
        self.encryption(report);
        address::check_prefix("rabbitmq.prefix", &self.prefix, report);
        report.positive("rabbitmq.confirm_timeout", self.confirm_timeout);
        self.whole_heartbeat(report);
        report.at_least_one("rabbitmq.prefetch", self.prefetch);
    }

    /// The nodes' addresses, at least one.
    pub fn addresses(&self) -> Vec<&str> {
        addresses(self.url.expose_secret())
    }

    fn encryption(&self, report: &mut Report) {
        let url = self.url.expose_secret();
        let is_encrypted = self.addresses().iter().any(|address| address.starts_with("amqps://"));
        if is_encrypted && !cfg!(feature = "amqp-tls") {
            let rule = "this program was built without TLS for RabbitMQ";
            let fix = "build it with `--features amqp-tls`, or use amqp://";
            report.add_broken("CP-1012", &[&Key::from("rabbitmq.url")], redact(url), rule, fix);
        }
    }

    fn whole_heartbeat(&self, report: &mut Report) {
        let seconds = self.heartbeat.as_secs();
        if seconds == 0 || seconds > u64::from(u16::MAX) || self.heartbeat.subsec_nanos() > 0 {
            let shown = format_duration(self.heartbeat);
            let rule = "AMQP counts heartbeats in whole seconds, 1 to 65535";
            report.refuse(&Key::from("rabbitmq.heartbeat"), shown, rule, "write for example \"5s\"");
        }
    }
}
