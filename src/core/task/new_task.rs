use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fingerprint, Payload, Priority, TaskId, Timestamp, TraceContext, span, trace::is_tracestate};

/// What a customer has paid for (spec S1); a condition of classification and quotas.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Pays nothing.
    Free,
    /// The cheapest that is paid for.
    Basic,
    /// Above basic.
    Premium,
    /// Above premium.
    Enterprise,
}

/// What a producer sends: a kind, a payload and, where it wants to differ from the configuration, its wishes.
/// The same shape at every entrance: HTTP, AMQP, `clawpool enqueue --file` and the library.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// Chosen by the producer to make its enqueue repeatable: a second task with the id is answered, not
    /// added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TaskId>,
    /// What is to be done, for example `email.send`; picks the handler and, by the classification table, the
    /// priority.
    pub kind: String,
    /// What the handler is given; null by default.
    #[serde(default)]
    pub payload: Payload,
    /// Only for producers whose scope allows it; else the classification table decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// The name of the queue it is to wait on, which has its priority; as for `priority`, only where the
    /// scope allows it. At most one of `priority` and `queue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The customer for whom it runs; a condition of classification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What this customer has paid for; a condition of classification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// The producer's own word for what belongs together; at most `limits.name` bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Not to start before this long from now. At most one of `delay` and `not_before`.
    #[serde(default, with = "span::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<span::Text>")]
    pub delay: Option<Duration>,
    /// Not to start before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Dead-lettered as expired when not started this long after it may start. At most one of `ttl` and
    /// `expires_at`.
    #[serde(default, with = "span::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<span::Text>")]
    pub ttl: Option<Duration>,
    /// Dead-lettered as expired when not started by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Handler starts in all; without it the retry table decides by the class of error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// The name of a retry policy of the configuration, in place of the table's row for the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// How long one attempt may run.
    #[serde(default, with = "span::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<span::Text>")]
    pub timeout: Option<Duration>,
    /// While a task with this key is not finished, another one is answered with its id instead of being
    /// added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// A W3C `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// A W3C `tracestate`, of those that made `trace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_state: Option<String>,
    /// The producer's own notes: names and values, which Clawpool shows and hands on to the handler; at most
    /// `limits.meta` bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// How long the result is kept.
    #[serde(default, with = "span::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<span::Text>")]
    pub result_ttl: Option<Duration>,
    /// Of the whole request that brought it, where that has an idempotency key: a repetition must have the
    /// same. Else kind and payload must be the same for a task to be a repetition of the one with its id.
    #[serde(skip)]
    pub request: Option<Fingerprint>,
}

impl NewTask {
    /// Takes the trace context of the request or the message that brought it, where the task has none of its
    /// own. As the W3C has it, one that is malformed counts as none.
    pub fn adopt_trace(&mut self, traceparent: Option<&str>, tracestate: Option<&str>) {
        if self.trace.is_some() {
            return;
        }
        let Some(context) = traceparent.and_then(|text| text.parse::<TraceContext>().ok()) else { return };
        self.trace = Some(context.to_string());
        self.trace_state = tracestate.filter(|text| is_tracestate(text)).map(ToOwned::to_owned);
    }

    /// A task that leaves everything else to the configuration.
    pub fn new(kind: impl Into<String>, payload: Payload) -> Self {
        Self { kind: kind.into(), payload, ..Self::default() }
    }
}
