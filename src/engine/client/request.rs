use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use clawpool_backends::store::DeadFilter;
use clawpool_core::task::{KindPattern, Payload, Priority, State, TaskName, Timestamp, span};

/// A size asked for, and for how long it holds.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// In workers.
    pub size: u32,
    /// In JSON `for`: text such as `1h`.
    #[serde(default = "Scale::hour", rename = "for", with = "span")]
    #[schemars(with = "span::Text")]
    pub keep: Duration,
}

impl Scale {
    /// How long a size holds where the request does not say.
    pub const fn hour() -> Duration {
        Duration::from_secs(3600)
    }
}

/// Which dead letters a change is for. Exactly one of the three, so that nothing is thrown away by leaving a
/// field out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// These, by their ids or the ends of them; at most 2,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<TaskName>>,
    /// All that match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<DeadFilter>,
    /// Every one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Only counts them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Where to go on: `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Requeue of one letter: it runs with this in place of what it was enqueued with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
}

/// Which tasks a change is for. Exactly one of `ids`, `filter` and `all`, so that nothing is cancelled by
/// leaving a field out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TaskSelection {
    /// These, by their ids or the ends of them; at most 2,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<TaskName>>,
    /// All that match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<TaskFilter>,
    /// Every one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Only counts them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Where to go on: `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Change of priority: `P0` to `P6`, or the name of a queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Conditions for tasks; all that are given must hold. An unknown one is refused: overlooking it would widen
/// what is changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TaskFilter {
    /// One of these; empty: in any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
    /// A kind, or `email.*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<KindPattern>,
    /// Of this priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// The name of a queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Of this tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Of this session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// A name that `meta` has, or `name=value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Somewhere in payload or `meta`; capitals are as small letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Enqueued at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Enqueued before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}
