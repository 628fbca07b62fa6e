//! Events that an operator should know of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use clawpool_backends::store::{Entry, Topic};
use clawpool_core::{codes, task::Timestamp};

/// Kept in the journal under [`Topic::Alert`], by the name of its pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Which event; it gives the level and the code.
    pub event: Event,
    /// What happened, in words.
    pub text: String,
}

/// Kinds of event. Their names are stored in the journal and shown by the HTTP API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The worker program cannot be started.
    CannotStart,
    /// The system has no file, memory or process for another worker just now.
    Shortage,
    /// A worker fails at its start: no new one for a while.
    RestartBreaker,
    /// Workers died more often than may be replaced at once.
    RestartLimit,
    /// A worker died, and the pool's policy leaves its restart to a person.
    RestartHeld,
    /// A worker died, and the pool's policy replaces none.
    NotReplaced,
    /// A worker sent no heartbeat for a lease, and was killed.
    Hung,
    /// No worker of the pool was healthy; all are replaced.
    Emergency,
    /// A worker took more memory than it may, and is replaced.
    OverMemory,
    /// A worker has run as many tasks as it should, and is replaced.
    Recycled,
    /// The store does not answer, or takes no writes.
    StoreTrouble,
    /// A broker does not answer, or takes no messages.
    BrokerTrouble,
    /// Tasks wait, or seem to run, and their messages are gone.
    TasksLost,
    /// Tasks had lost their messages, which were put back.
    TasksRestored,
    /// Something that the store or a queue holds could not be read, and was set aside.
    Unreadable,
    /// A server refuses to hand over a queue's messages.
    Refused,
    /// Tasks wait on a queue that no live worker serves.
    Unserved,
    /// Tasks wait whose kind no live worker of their queue has a handler for.
    NoHandler,
    /// Tasks are ready, workers have free slots for them, and none starts.
    Stalled,
    /// What a probe looks at is not well.
    ServiceDown,
    /// What a probe looks at answers late.
    ServiceSlow,
    /// A part of the dispatcher stands still.
    LoopStuck,
}

/// From what is only worth knowing to what needs attention now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing to do.
    Info,
    /// Something is not as it should be, and work goes on.
    Warning,
    /// Something failed, and a person should look at it soon.
    Error,
    /// Tasks wait or are lost until a person acts.
    Critical,
}

impl Event {
    /// Each of them.
    pub const ALL: [Self; 22] = [
        Self::CannotStart,
        Self::Shortage,
        Self::RestartBreaker,
        Self::RestartLimit,
        Self::RestartHeld,
        Self::NotReplaced,
        Self::Hung,
        Self::Emergency,
        Self::OverMemory,
        Self::Recycled,
        Self::StoreTrouble,
        Self::BrokerTrouble,
        Self::TasksLost,
        Self::TasksRestored,
        Self::Unreadable,
        Self::Refused,
        Self::Unserved,
        Self::NoHandler,
        Self::Stalled,
        Self::ServiceDown,
        Self::ServiceSlow,
        Self::LoopStuck,
    ];

    /// How urgent it is.
    pub const fn level(self) -> Level {
        match self {
            Self::CannotStart | Self::RestartBreaker | Self::Emergency | Self::Refused => Level::Critical,
            Self::StoreTrouble | Self::BrokerTrouble | Self::Stalled => Level::Critical,
            Self::Shortage | Self::RestartLimit | Self::RestartHeld | Self::NotReplaced | Self::Hung => {
                Level::Error
            }
            Self::TasksLost | Self::Unreadable | Self::Unserved | Self::NoHandler => Level::Error,
            Self::ServiceDown | Self::LoopStuck => Level::Error,
            Self::OverMemory | Self::TasksRestored | Self::ServiceSlow => Level::Warning,
            Self::Recycled => Level::Info,
        }
    }

    /// The stable code, for `clawpool explain`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::CannotStart => "CP-1603",
            Self::Shortage => "CP-1630",
            Self::RestartBreaker => "CP-1604",
            Self::RestartLimit => "CP-1605",
            Self::RestartHeld => "CP-1606",
            Self::NotReplaced => "CP-1607",
            Self::Hung => "CP-1608",
            Self::Emergency => "CP-1609",
            Self::OverMemory => "CP-1610",
            Self::Recycled => "CP-1611",
            Self::StoreTrouble => "CP-1620",
            Self::BrokerTrouble => "CP-1621",
            Self::TasksLost => "CP-1622",
            Self::TasksRestored => "CP-1623",
            Self::Unreadable => "CP-1624",
            Self::Refused => "CP-1205",
            Self::Unserved => "CP-1505",
            Self::NoHandler => "CP-1501",
            Self::Stalled => "CP-1507",
            Self::ServiceDown => "CP-1625",
            Self::ServiceSlow => "CP-1626",
            Self::LoopStuck => "CP-1627",
        }
    }

    /// What to do about it.
    pub fn fix(self) -> &'static str {
        codes::find(self.code()).map_or("", |code| code.remedy)
    }
}

impl Alert {
    /// An alert that says `text` of this one case.
    pub fn new(event: Event, text: impl Into<String>) -> Self {
        Self { event, text: text.into() }
    }

    /// The entry of the journal about `pool`, of this moment.
    pub fn entry(&self, pool: &str) -> Entry {
        // Two strings: nothing here can fail.
        let body = serde_json::to_value(self).unwrap_or_default();
        Entry { topic: Topic::Alert, at: Timestamp::now(), subject: pool.to_owned(), body }
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = serde_json::from_value(text.into());
        level.map_err(|_| format!("{text:?} is no level: write info, warning, error or critical"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_event_has_a_code_of_its_own_and_says_what_to_do() {
        let codes: BTreeSet<_> = Event::ALL.map(Event::code).into();
        assert_eq!(codes.len(), Event::ALL.len());
        assert!(Event::ALL.iter().all(|event| event.fix().len() > 10));
    }

    #[test]
    fn levels_are_ordered_and_read_as_they_are_written() {
        assert_eq!("critical".parse(), Ok(Level::Critical));
        assert!(Level::Critical > Level::Error && Level::Warning > Level::Info);
        assert_eq!(
            "loud".parse::<Level>().unwrap_err(),
            "\"loud\" is no level: write info, warning, error or critical"
        );
    }
}
