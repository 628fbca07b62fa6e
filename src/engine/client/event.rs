//! The shapes of `GET /v1/events`.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use clawpool_core::task::{TaskId, Timestamp};

/// What a stream can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventTopic {
    /// What a person should know, as `GET /v1/alerts` shows it. Each is told once, also later.
    Alerts,
    /// Changes of the pools' sizes, as `GET /v1/autoscaler/history` shows them. Each is told once.
    Scaling,
    /// What somebody changed, as `GET /v1/audit` shows it. Each is told once.
    Audit,
    /// Workers that ended and should not have, as `GET /v1/workers/crashes` shows them. Each is told once.
    Crashes,
    /// Workers that took the place of others. Each is told once.
    Restarts,
    /// As `GET /v1/queues` shows them: all at first, then those that changed.
    Queues,
    /// As `GET /v1/workers` shows them: all at first, then those that changed.
    Workers,
    /// As `GET /v1/autoscaler` shows them, without votes and forecasts: all at first, then those that
    /// changed.
    Pools,
    /// As `/health` shows it: at first, and when it changed.
    Health,
}

impl EventTopic {
    /// Each of them.
    pub const ALL: [Self; 9] = [
        Self::Alerts,
        Self::Scaling,
        Self::Audit,
        Self::Crashes,
        Self::Restarts,
        Self::Queues,
        Self::Workers,
        Self::Pools,
        Self::Health,
    ];

    /// As it is asked for.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Scaling => "scaling",
            Self::Audit => "audit",
            Self::Crashes => "crashes",
            Self::Restarts => "restarts",
            Self::Queues => "queues",
            Self::Workers => "workers",
            Self::Pools => "pools",
            Self::Health => "health",
        }
    }

    /// What its events are called: `event:` of the stream, and `type` of their data.
    pub const fn event(self) -> &'static str {
        match self {
            Self::Alerts => "alert",
            Self::Crashes => "crash",
            Self::Restarts => "restart",
            _ => self.name(),
        }
    }

    /// Whether each event is told once, and a stream goes on after the last one that was heard. What is not
    /// is a picture of the moment.
    pub const fn is_journal(self) -> bool {
        matches!(self, Self::Alerts | Self::Scaling | Self::Audit | Self::Crashes | Self::Restarts)
    }
}

impl FromStr for EventTopic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|topic| topic.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{text:?} is no topic: write some of {names}, or journal for the first five")
        })
    }
}

/// Data of an event of the journal: `alert`, `scaling`, `audit`, `crash`, `restart`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JournalEventView<T> {
    /// The event's name.
    #[serde(rename = "type")]
    pub name: String,
    /// When it happened.
    pub at_ms: u64,
    /// As the list of its topic shows it.
    pub item: T,
}

/// A worker that took the place of another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RestartView {
    /// When it was started.
    pub at: Timestamp,
    /// The pool's name.
    pub pool: String,
    /// The worker that had ended.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub after: Value,
}

/// Data of a picture: `queues`, `workers`, `pools`, `health`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PictureView {
    /// The event's name.
    #[serde(rename = "type")]
    pub name: String,
    /// When it was seen.
    pub at_ms: u64,
    /// These are all there are. Else only those that changed.
    pub whole: bool,
    /// As the list of its topic shows them.
    pub items: Vec<Value>,
    /// The names, of workers the ids, of those that are not there any more.
    pub gone: Vec<String>,
}

/// Data of `task`: as it is now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskEventView<T> {
    /// `task`.
    #[serde(rename = "type")]
    pub name: String,
    /// When it was seen.
    pub at_ms: u64,
    /// As `GET /v1/tasks` shows it.
    pub item: T,
}

/// Data of `open`, the first event of each stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenView {
    /// `open`.
    #[serde(rename = "type")]
    pub name: String,
    /// By the dispatcher's clock.
    pub at_ms: u64,
    /// What the stream is about.
    pub topics: Vec<EventTopic>,
    /// The one task that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
}

/// Data of `gap`: events between this one and the one before are forgotten.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GapView {
    /// `gap`.
    #[serde(rename = "type")]
    pub name: String,
    /// By the dispatcher's clock.
    pub at_ms: u64,
    /// Of this topic.
    pub topic: EventTopic,
}

/// Data of `end`, the last event where the dispatcher ends a stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndView {
    /// `end`.
    #[serde(rename = "type")]
    pub name: String,
    /// By the dispatcher's clock.
    pub at_ms: u64,
    /// Why it ends.
    pub reason: EndReason,
}

/// Why a dispatcher ends a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// It stops: another one goes on after the last id.
    Stopping,
    /// The token was revoked, has expired, or may do other things now.
    Token,
    /// The task has ended, and nothing more will happen to it.
    TaskEnded,
    /// There is no such task any more.
    TaskForgotten,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_as_they_are_written() {
        for topic in EventTopic::ALL {
            assert_eq!(topic.name().parse(), Ok(topic));
            assert_eq!(serde_json::to_value(topic).unwrap(), topic.name());
        }
        assert!("weather".parse::<EventTopic>().unwrap_err().contains("queues"));
    }
}
