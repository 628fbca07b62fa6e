//! The list `[[queues]]`: queues of one's own, and settings of those that are always there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config, Pacing,
    reading::{Key, Report, nearest},
};
use crate::task::{BadQueue, Lane, Priority, Queue};

/// One queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueSettings {
    /// Its own: letters, digits and `. _ -`, 64 bytes at most. Or that of a priority's queue, to set
    /// something of it.
    pub name: String,
    /// Of all tasks on it. Only for a queue of one's own, and there it is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub priority: Option<Priority>,
    /// What carries it, in place of the lane of its priority. Only for a queue of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// Tasks that may wait on it, in place of limits.queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Its speed limit over all workers together; none by default, apart from that of the background queue,
    /// which is the section `[pacing]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pacing: Option<Pacing>,
}

impl QueueSettings {
    /// The queue that it is about. Fails on a name that no queue may have.
    pub fn queue(&self) -> Result<Queue, BadQueue> {
        match (self.class(), self.priority) {
            (Some(class), _) => Ok(class),
            (None, Some(priority)) => {
                Queue::new(&self.name, priority, self.lane.unwrap_or_else(|| Lane::of(priority)))
            }
            (None, None) => Err(BadQueue::Unknown(self.name.clone())),
        }
    }

    fn class(&self) -> Option<Queue> {
        Queue::CLASSES.into_iter().find(|queue| queue.name() == self.name)
    }

    fn check(&self, key: &Key, report: &mut Report) {
        match (self.class(), self.priority) {
            (Some(class), _) => self.check_class(class, key, report),
            (None, None) => {
                let fix = format!("add {}", key.name("priority"));
                report.refuse(key, format!("{:?}", self.name), "a queue of one's own needs a priority", fix);
            }
            (None, Some(_)) => {
                if let Err(error) = self.queue() {
                    let shown = format!("{:?}", self.name);
                    report.refuse(
                        &key.name("name"),
                        shown,
                        error.to_string(),
                        "write for example \"llm.calls\"",
                    );
                }
            }
        }
        if let Some(limit) = self.limit {
            report.at_least_one(key.name("limit"), limit);
        }
        if let Some(pacing) = &self.pacing {
            pacing.check(&key.name("pacing"), report);
        }
    }

    fn check_class(&self, class: Queue, key: &Key, report: &mut Report) {
        if let Some(priority) = self.priority {
            let rule = format!("{class} always has the priority {}", class.priority());
            report.refuse(&key.name("priority"), priority, rule, "take it out, or give the queue a new name");
        }
        if let Some(lane) = self.lane {
            let rule = format!("{class} is always on the lane {}", class.lane());
            report.refuse(&key.name("lane"), lane, rule, "take it out, or see [lanes]");
        }
    }
}

/// How many tasks may wait on each queue.
#[derive(Clone, Debug)]
pub struct QueueLimits {
    common: u64,
    own: BTreeMap<Queue, u64>,
}

impl QueueLimits {
    /// How many tasks may wait on this queue: its own limit, or the common one.
    pub fn get(&self, queue: Queue) -> u64 {
        self.own.get(&queue).copied().unwrap_or(self.common)
    }

    /// Of queues that have no limit of their own.
    pub const fn common(&self) -> u64 {
        self.common
    }

    /// The queues that have one, and this.
    pub fn own(&self) -> impl Iterator<Item = (Queue, u64)> {
        self.own.iter().map(|(queue, limit)| (*queue, *limit))
    }
}

impl Config {
    /// All queues that this configuration knows, most urgent first.
    pub fn known_queues(&self) -> Vec<Queue> {
        let own = self.queues.iter().filter_map(|settings| settings.queue().ok());
        let mut all: Vec<Queue> = Queue::CLASSES.into_iter().chain(own).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The queue with this name.
    pub fn queue_named(&self, name: &str) -> Option<Queue> {
        self.known_queues().into_iter().find(|queue| queue.name() == name)
    }

    /// How many tasks may wait on each.
    pub fn queue_limits(&self) -> QueueLimits {
        let own = |settings: &QueueSettings| Some((settings.queue().ok()?, settings.limit?));
        QueueLimits { common: self.limits.queued, own: self.queues.iter().filter_map(own).collect() }
    }

    /// A queue's speed limit over all workers together.
    pub fn pacing_of(&self, queue: Queue) -> Option<&Pacing> {
        let own = self.queues.iter().find(|settings| settings.name == queue.name());
        let own = own.and_then(|settings| settings.pacing.as_ref());
        own.or_else(|| (queue == Queue::P6).then_some(&self.pacing))
    }
}

pub(super) fn check(queues: &[QueueSettings], report: &mut Report) {
    for (index, settings) in queues.iter().enumerate() {
        let key = Key::from("queues").index(index);
        settings.check(&key, report);
        let name = key.name("name");
        if queues[..index].iter().any(|other| other.name == settings.name) {
            let shown = format!("{:?}", settings.name);
            report.conflict(&[&name], shown, "another queue has this name", "give each its own");
        }
    }
}

/// What to write in place of a name that no queue has.
pub(super) fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, known) {
        Some(close) => format!("did you mean {close:?}? Else add it to [[queues]]"),
        None => "add it to [[queues]], or name a queue that stands there".to_owned(),
    }
}
