use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use super::{BadPattern, KindPattern, Lane, Priority, Queue};

/// Names queues where they are served: one by its name (`llm.calls`), all that a pattern matches
/// (`browser.*`), the own queue of a priority (`P4`), or those of a lane (`high`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct QueuePattern {
    text: KindPattern,
    /// Set where the text is a priority or a lane.
    classes: Vec<Queue>,
}

impl QueuePattern {
    /// Every queue there is, and those that come.
    pub fn all() -> Self {
        Self::from(KindPattern::any())
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// Whether it stands for this queue.
    pub fn matches(&self, queue: Queue) -> bool {
        self.classes.contains(&queue) || self.classes.is_empty() && self.text.matches(queue.name())
    }

    /// Whether it stands for queues that may be made later.
    pub fn is_open(&self) -> bool {
        self.classes.is_empty() && self.text.single().is_none()
    }
}

impl From<KindPattern> for QueuePattern {
    fn from(text: KindPattern) -> Self {
        let priority = text.as_str().parse::<Priority>().ok().map(Priority::queue);
        let lane = text.as_str().parse::<Lane>().ok().filter(|lane| *lane != Lane::Background);
        let classes = priority.into_iter().chain(lane.into_iter().flat_map(Lane::classes)).collect();
        Self { text, classes }
    }
}

impl From<Queue> for QueuePattern {
    fn from(queue: Queue) -> Self {
        Self::from(KindPattern::exactly(queue.name()))
    }
}

impl TryFrom<String> for QueuePattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        KindPattern::try_from(text).map(Self::from)
    }
}

impl FromStr for QueuePattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for QueuePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for QueuePattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl JsonSchema for QueuePattern {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "QueuePattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9._*-]+$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_patterns_priorities_and_lanes_stand_for_queues() {
        let calls = Queue::new("llm.calls", Priority::P2, Lane::High).unwrap();
        let matched = |text: &str| {
            let pattern = text.parse::<QueuePattern>().unwrap();
            let all = Queue::CLASSES.into_iter().chain([calls]);
            all.filter(|queue| pattern.matches(*queue)).map(Queue::name).collect::<Vec<_>>()
        };
        assert_eq!(matched("llm.calls"), ["llm.calls"]);
        assert_eq!(matched("llm.*"), ["llm.calls"]);
        assert_eq!(matched("*").len(), 8);
        assert_eq!(matched("P2"), ["high.p2"]);
        assert_eq!(matched("high"), ["high.p2", "high.p3"]);
        assert_eq!(matched("background"), ["background"]);
        assert_eq!(matched("nothing"), [""; 0]);
        assert!("llm.*".parse::<QueuePattern>().unwrap().is_open());
        assert!(!"high".parse::<QueuePattern>().unwrap().is_open());
    }
}
