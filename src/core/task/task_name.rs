//! How people name a task: by its id, or by the end of it.
//!
//! Ids begin with the time of their making, so that those of one minute begin alike; the last 32 bits are
//! drawn at random, and tell tasks apart.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::TaskId;

/// A task as a person names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum TaskName {
    /// The one task.
    Id(TaskId),
    /// Of the tasks that came lately, the one whose id ends so.
    End(IdEnd),
}

/// The last digits of a task's id, without its hyphens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdEnd(String);

/// Why a text names no task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is neither the id of a task nor the end of one: at least its last {} digits (0-9, a-f)",
    IdEnd::SHORTEST
)]
pub struct BadTaskName;

impl IdEnd {
    /// With fewer digits too many tasks would be meant.
    pub const SHORTEST: usize = 6;
    /// Of what lists show.
    pub const SHOWN: usize = 8;
    const WHOLE: usize = 32;

    /// As lists show it where there is little room.
    pub fn of(id: TaskId) -> Self {
        let all = digits(id);
        Self(all[Self::WHOLE - Self::SHOWN..].to_owned())
    }

    /// Whether the id ends so.
    pub fn ends(&self, id: TaskId) -> bool {
        digits(id).ends_with(&self.0)
    }

    /// The digits, small letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn digits(id: TaskId) -> String {
    format!("{:032x}", u128::from_be_bytes(*id.as_bytes()))
}

impl FromStr for IdEnd {
    type Err = BadTaskName;

    fn from_str(text: &str) -> Result<Self, BadTaskName> {
        let end: String =
            text.chars().filter(|&sign| sign != '-').map(|sign| sign.to_ascii_lowercase()).collect();
        let is_end = (Self::SHORTEST..Self::WHOLE).contains(&end.len())
            && end.bytes().all(|digit| digit.is_ascii_hexdigit());
        if is_end { Ok(Self(end)) } else { Err(BadTaskName) }
    }
}

impl FromStr for TaskName {
    type Err = BadTaskName;

    fn from_str(text: &str) -> Result<Self, BadTaskName> {
        text.parse().map(Self::Id).or_else(|_| text.parse().map(Self::End))
    }
}

impl JsonSchema for TaskName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TaskName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-fA-F-]{6,36}$" })
    }
}

impl TryFrom<String> for TaskName {
    type Error = BadTaskName;

    fn try_from(text: String) -> Result<Self, BadTaskName> {
        text.parse()
    }
}

impl From<TaskName> for String {
    fn from(name: TaskName) -> Self {
        name.to_string()
    }
}

impl From<TaskId> for TaskName {
    fn from(id: TaskId) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for IdEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::End(end) => end.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_of_its_id_however_it_is_written() {
        let id: TaskId = "01920000-0000-7000-8000-0000abcdef01".parse().unwrap();
        for text in ["cdef01", "ABCDEF01", "8000-0000abcdef01", "1920000000070008000-0000abcdef01"] {
            let TaskName::End(end) = text.parse().unwrap() else { panic!("{text}") };
            assert!(end.ends(id), "{text}");
            assert!(!end.ends(TaskId::new()));
        }
        assert_eq!(IdEnd::of(id).as_str(), "abcdef01");
        assert_eq!(id.to_string().parse(), Ok(TaskName::Id(id)));
    }

    #[test]
    fn what_is_too_short_or_no_number_names_no_task() {
        for text in ["", "cdef1", "task-1234567", "0x123456", &"a".repeat(33), "ünïcödé"] {
            assert_eq!(text.parse::<TaskName>(), Err(BadTaskName), "{text}");
        }
        let name: TaskName = serde_json::from_str("\"ABCDEF\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"abcdef\"");
    }
}
