use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Queue;

/// Urgency, P0 first (spec S2). Ordered so that a smaller priority is a more urgent one. What each is for
/// here is what the shipped rules put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Priority {
    /// Somebody is on the line.
    P0,
    /// What a user says or types.
    P1,
    /// Answers of language models.
    P2,
    /// Work in a browser.
    P3,
    /// Mail, and by default all kinds that no rule matches.
    P4,
    /// Scheduled loops.
    P5,
    /// Background and batches, at a limited pace.
    P6,
}

impl Priority {
    /// Most urgent first.
    pub const ALL: [Self; 7] = [Self::P0, Self::P1, Self::P2, Self::P3, Self::P4, Self::P5, Self::P6];

    /// 0 for P0, to 6 for P6: its place in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The inverse of [`Self::index`]; `None` beyond 6.
    pub fn from_index(index: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(index).ok()?).copied()
    }

    /// Its own queue: that of tasks which no rule put on another one.
    pub const fn queue(self) -> Queue {
        Queue::CLASSES[self.index()]
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}", *self as u8)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("unknown priority {0:?}: use P0 to P6")]
pub struct UnknownPriority(String);

impl FromStr for Priority {
    type Err = UnknownPriority;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix(['P', 'p']).unwrap_or(text);
        digits.parse().ok().and_then(Self::from_index).ok_or_else(|| UnknownPriority(text.to_owned()))
    }
}

impl Serialize for Priority {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u8(*self as u8)
        }
    }
}

impl<'de> Deserialize<'de> for Priority {
    /// Accepts `"P0"`, `"p0"` and `0`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Priority;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a priority, P0 to P6")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Priority, E> {
                Priority::from_index(value).ok_or_else(|| E::custom(UnknownPriority(value.to_string())))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Priority, E> {
                value.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Priority {
    fn schema_name() -> Cow<'static, str> {
        "Priority".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let about = "Urgency, P0 first.";
        if generator.contract().is_serialize() {
            let names = Self::ALL.map(|priority| priority.to_string());
            return json_schema!({ "description": about, "type": "string", "enum": names });
        }
        json_schema!({
            "description": about,
            "anyOf": [
                { "type": "string", "pattern": "^[Pp]?[0-6]$" },
                { "type": "integer", "minimum": 0, "maximum": 6 },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_spelling_and_refuses_the_rest() {
        for (index, priority) in Priority::ALL.into_iter().enumerate() {
            assert_eq!(priority.to_string().parse::<Priority>().unwrap(), priority);
            assert_eq!(serde_json::from_str::<Priority>(&index.to_string()).unwrap(), priority);
        }
        let refused = serde_json::from_str::<Priority>("\"P7\"").unwrap_err();
        assert!(refused.to_string().contains("use P0 to P6"), "{refused}");
    }
}
