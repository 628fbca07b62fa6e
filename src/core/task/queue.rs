//! Queues: open names, each with the priority of its tasks and the lane that carries it.
//!
//! Guarantees: a queue is a small value that says all that is needed to reach it, so a task that was accepted
//! finds its queue whatever became of the configuration since. Never does: know which queues there are; the
//! configuration and the store do.

use std::{
    borrow::Cow,
    cmp::Ordering,
    collections::HashSet,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::{LazyLock, PoisonError, RwLock},
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Lane, Priority};

/// A name, the priority of all tasks on it, and its lane. Two are equal when all three are.
///
/// Written as its name, as `critical.p0`, where it is the own queue of a priority; else with what cannot be
/// told from the name: `calls@P2`, and `calls@P2/critical` where the lane is not that of the priority.
#[derive(Clone, Copy)]
pub struct Queue(&'static Definition);

#[derive(PartialEq, Eq, Hash)]
struct Definition {
    name: Cow<'static, str>,
    priority: Priority,
    lane: Lane,
}

const fn class(name: &'static str, priority: Priority) -> Definition {
    Definition { name: Cow::Borrowed(name), priority, lane: Lane::of(priority) }
}

static CLASSES: [Definition; Priority::ALL.len()] = [
    class("critical.p0", Priority::P0),
    class("critical.p1", Priority::P1),
    class("high.p2", Priority::P2),
    class("high.p3", Priority::P3),
    class("normal.p4", Priority::P4),
    class("normal.p5", Priority::P5),
    class("background", Priority::P6),
];

/// All queues that are no class's own and that this process has met. They stay: there are as many as users
/// have made, which is few, and no task can make one.
static MET: LazyLock<RwLock<HashSet<&'static Definition>>> = LazyLock::new(RwLock::default);

impl Queue {
    /// `critical.p0`
    pub const P0: Self = Self(&CLASSES[0]);
    /// `critical.p1`
    pub const P1: Self = Self(&CLASSES[1]);
    /// `high.p2`
    pub const P2: Self = Self(&CLASSES[2]);
    /// `high.p3`
    pub const P3: Self = Self(&CLASSES[3]);
    /// `normal.p4`
    pub const P4: Self = Self(&CLASSES[4]);
    /// `normal.p5`
    pub const P5: Self = Self(&CLASSES[5]);
    /// `background`, for P6.
    pub const P6: Self = Self(&CLASSES[6]);

    /// The own queue of each priority, most urgent first.
    pub const CLASSES: [Self; Priority::ALL.len()] =
        [Self::P0, Self::P1, Self::P2, Self::P3, Self::P4, Self::P5, Self::P6];

    /// Bytes of a name at most.
    pub const LONGEST: usize = 64;

    /// A queue that may be new. Fails on a name that no queue may have.
    pub fn new(name: &str, priority: Priority, lane: Lane) -> Result<Self, BadQueue> {
        Self::check_name(name)?;
        Ok(Self(met(Definition { name: Cow::Owned(name.to_owned()), priority, lane })))
    }

    /// As in configurations and messages: `critical.p0`.
    pub fn name(self) -> &'static str {
        &self.0.name
    }

    /// Of all tasks on it.
    pub const fn priority(self) -> Priority {
        self.0.priority
    }

    /// What carries it.
    pub const fn lane(self) -> Lane {
        self.0.lane
    }

    /// P0 and P1: work that a waiting human hears.
    pub const fn is_critical(self) -> bool {
        matches!(self.0.priority, Priority::P0 | Priority::P1)
    }

    /// It, unless it is the own queue of its priority.
    pub fn own(self) -> Option<Self> {
        (!self.is_class()).then_some(self)
    }

    /// Whether it is the own queue of its priority, and no user's.
    pub fn is_class(self) -> bool {
        std::ptr::eq(self.0, &raw const CLASSES[self.0.priority.index()])
    }
}

/// The one place in memory of a definition.
fn met(definition: Definition) -> &'static Definition {
    let known = MET.read().unwrap_or_else(PoisonError::into_inner).get(&definition).copied();
    known.unwrap_or_else(|| {
        let mut met = MET.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = met.get(&definition) {
            return known;
        }
        let new: &'static Definition = Box::leak(Box::new(definition));
        met.insert(new);
        new
    })
}

impl PartialEq for Queue {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Queue {}

impl Hash for Queue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(self.0, state);
    }
}

/// Of the default priority.
impl Default for Queue {
    fn default() -> Self {
        Priority::default().queue()
    }
}

/// Most urgent first; the own queue of a priority before the others of it.
impl Ord for Queue {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |queue: &Self| (queue.0.priority, !queue.is_class());
        let by_name = || self.0.name.cmp(&other.0.name).then(self.0.lane.cmp(&other.0.lane));
        if self == other { Ordering::Equal } else { key(self).cmp(&key(other)).then_with(by_name) }
    }
}

impl PartialOrd for Queue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written())
    }
}

/// Why a text is no queue, or a name not one for a queue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQueue {
    /// It is none of those that are always there, and does not say what it is.
    #[error(
        "unknown queue {0:?}: use critical.p0, critical.p1, high.p2, high.p3, normal.p4, normal.p5 or \
        background"
    )]
    Unknown(String),
    /// Longer than [`Queue::LONGEST`], or nothing.
    #[error("the name of a queue has 1 to 64 bytes, and {0:?} has {len}", len = .0.len())]
    Length(String),
    /// A character that servers, patterns or people would stumble over.
    #[error(
        "{0:?} contains {1:?}: the name of a queue has ASCII letters, digits and . _ - and begins with a \
        letter or a digit"
    )]
    Character(String, char),
    /// It has a meaning already.
    #[error("{0:?} is reserved: give the queue another name")]
    Reserved(String),
}

/// Names that mean something else where queues are named: lanes, priorities, and queues that the program
/// makes for itself.
fn is_reserved(name: &str) -> bool {
    let own = ["dead", "ingress", "probe", "all", "default"];
    name.parse::<Lane>().is_ok()
        || name.parse::<Priority>().is_ok()
        || own.contains(&name)
        || Queue::CLASSES.iter().any(|queue| queue.name() == name)
}

impl Queue {
    /// Whether a queue of a user's own may have this name.
    pub fn check_name(name: &str) -> Result<(), BadQueue> {
        if name.is_empty() || name.len() > Self::LONGEST {
            return Err(BadQueue::Length(name.to_owned()));
        }
        let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
        let strange = name.chars().find(|character| !plain(*character));
        let first = name.chars().next().filter(|character| !character.is_ascii_alphanumeric());
        match strange.or(first) {
            Some(character) => Err(BadQueue::Character(name.to_owned(), character)),
            None if is_reserved(name) => Err(BadQueue::Reserved(name.to_owned())),
            None => Ok(()),
        }
    }

    /// As other processes and later ones read it.
    pub fn written(self) -> Cow<'static, str> {
        let Definition { name, priority, lane } = self.0;
        if self.is_class() {
            Cow::Borrowed(name)
        } else if *lane == Lane::of(*priority) {
            Cow::Owned(format!("{name}@{priority}"))
        } else {
            Cow::Owned(format!("{name}@{priority}/{lane}"))
        }
    }
}

impl FromStr for Queue {
    type Err = BadQueue;

    /// Reads what [`Queue::written`] writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || BadQueue::Unknown(text.to_owned());
        let Some((name, rest)) = text.split_once('@') else {
            return Self::CLASSES.into_iter().find(|queue| queue.name() == text).ok_or_else(unknown);
        };
        let (priority, lane) = rest.split_once('/').map_or((rest, None), |(of, lane)| (of, Some(lane)));
        let priority = priority.parse::<Priority>().map_err(|_| unknown())?;
        let lane = match lane {
            Some(lane) => lane.parse().map_err(|_| unknown())?,
            None => Lane::of(priority),
        };
        Self::new(name, priority, lane)
    }
}

/// As written between processes; for people, as in JSON, its name alone.
impl Serialize for Queue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(self.name())
        } else {
            serializer.serialize_str(&self.written())
        }
    }
}

/// From a name alone, one of a user's own gets the default priority: whoever reads JSON shows it, and sends
/// nothing there.
impl<'de> Deserialize<'de> for Queue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let for_people = deserializer.is_human_readable();
        let text = Cow::<str>::deserialize(deserializer)?;
        let read = text.parse::<Self>();
        match read {
            Err(BadQueue::Unknown(_)) if for_people => {
                let priority = Priority::default();
                Self::new(&text, priority, Lane::of(priority)).map_err(de::Error::custom)
            }
            read => read.map_err(de::Error::custom),
        }
    }
}

impl JsonSchema for Queue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Queue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_priority_has_its_own_queue_and_lane() {
        for (priority, queue) in Priority::ALL.into_iter().zip(Queue::CLASSES) {
            assert_eq!((queue.priority(), priority.queue()), (priority, queue));
            assert!(queue.is_class());
        }
        let lanes = Lane::ALL.map(|lane| lane.classes().count());
        assert_eq!(lanes, [2, 2, 2, 1]);
    }

    #[test]
    fn what_is_written_is_read_as_the_same_queue() {
        let calls = Queue::new("llm.calls", Priority::P2, Lane::High).unwrap();
        let fast = Queue::new("llm.calls", Priority::P2, Lane::Critical).unwrap();
        assert_ne!(calls, fast);
        assert_eq!(calls, Queue::new("llm.calls", Priority::P2, Lane::High).unwrap());
        assert_eq!((&*calls.written(), &*fast.written()), ("llm.calls@P2", "llm.calls@P2/critical"));
        for queue in Queue::CLASSES.into_iter().chain([calls, fast]) {
            assert_eq!(queue.written().parse::<Queue>().unwrap(), queue);
            let packed = rmp_serde::to_vec(&queue).unwrap();
            assert_eq!(rmp_serde::from_slice::<Queue>(&packed).unwrap(), queue);
        }
    }

    #[test]
    fn urgent_queues_come_first_and_a_class_before_the_others_of_its_priority() {
        let queue = |name, priority| Queue::new(name, priority, Lane::of(priority)).unwrap();
        let mut all = vec![queue("a", Priority::P4), queue("b", Priority::P1), queue("a", Priority::P1)];
        all.extend([Queue::P4, Queue::P1]);
        all.sort();
        let names = all.iter().map(|queue| queue.written().into_owned());
        assert_eq!(names.collect::<Vec<_>>(), ["critical.p1", "a@P1", "b@P1", "normal.p4", "a@P4"]);
    }

    #[test]
    fn names_that_would_mean_something_else_are_refused() {
        let refused = |name: &str| Queue::new(name, Priority::P4, Lane::Normal).unwrap_err().to_string();
        for name in ["high", "P3", "p3", "critical.p0", "background", "dead", "ingress"] {
            assert!(refused(name).contains("is reserved"), "{name}");
        }
        for name in ["a*", "a:b", "{a}", "a\0", "a\nb", "a b", "a@P2", "é", "-a", ".a", "a/b", "a\\b"] {
            assert!(refused(name).contains("contains"), "{name:?}");
        }
        for name in [String::new(), "a".repeat(65)] {
            assert!(refused(&name).contains("1 to 64 bytes"), "{name}");
        }
        for text in ["calls", "calls@P9", "calls@P2/none", "@P2", "calls@"] {
            assert!(text.parse::<Queue>().is_err(), "{text}");
        }
    }
}
