//! The classification table, compiled once: pure and without allocation for each task.

use std::{fmt, time::Duration};

use clawpool_core::{
    config::{Config, FieldTest, Rule},
    task::{
        KindPattern, NewTask, Queue, Tier,
        scan::{self, Item},
    },
};

/// The rules of a configuration, ready to be asked.
pub struct Classifier {
    rules: Vec<Row>,
    default: Queue,
}

/// The queue of a task, and its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The priority follows from it.
    pub queue: Queue,
    /// The reason.
    pub by: DecidedBy,
}

/// What decided a task's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    /// The task asked for it.
    Producer,
    /// A row of the table, counted from 0.
    Rule(usize),
    /// No rule matched: `classes.default`.
    Default,
}

impl fmt::Display for DecidedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Producer => f.write_str("the task asks for it"),
            Self::Rule(index) => write!(f, "rules[{index}] is the first that matches"),
            Self::Default => f.write_str("no rule matches, so classes.default decides"),
        }
    }
}

struct Row {
    kinds: Vec<KindPattern>,
    tenants: Vec<String>,
    tiers: Vec<Tier>,
    field: Option<Field>,
    due_within: Option<Duration>,
    queue: Queue,
}

struct Field {
    path: Vec<String>,
    equals: serde_json::Value,
}

impl Classifier {
    /// Compiles the table; the order of the rules is the order in which they are tried.
    pub fn new(config: &Config) -> Self {
        let default = config.classes.default.queue();
        // A checked configuration names no queue that is not there.
        let row = |rule: &Rule| Row::new(rule, config.target(rule).unwrap_or(default));
        Self { rules: config.rules.iter().map(row).collect(), default }
    }

    /// An explicit priority wins (whether the producer may set it is checked before), else the first rule
    /// that matches, else the default. `due_in` is how long until the task's own deadline, if it has one.
    pub fn classify(&self, task: &NewTask, due_in: Option<Duration>) -> Classified {
        if let Some(priority) = task.priority {
            return Classified { queue: priority.queue(), by: DecidedBy::Producer };
        }
        match self.rules.iter().position(|row| row.matches(task, due_in)) {
            Some(index) => Classified { queue: self.rules[index].queue, by: DecidedBy::Rule(index) },
            None => Classified { queue: self.default, by: DecidedBy::Default },
        }
    }
}

impl Row {
    fn new(rule: &Rule, queue: Queue) -> Self {
        Self {
            kinds: rule.kinds.clone(),
            tenants: rule.tenants.clone(),
            tiers: rule.tiers.clone(),
            field: rule.field.as_ref().map(Field::new),
            due_within: rule.due_within,
            queue,
        }
    }

    /// Cheap conditions first; the payload is looked at only when all others hold.
    fn matches(&self, task: &NewTask, due_in: Option<Duration>) -> bool {
        (self.kinds.is_empty() || self.kinds.iter().any(|pattern| pattern.matches(&task.kind)))
            && (self.tenants.is_empty()
                || task.tenant.as_ref().is_some_and(|tenant| self.tenants.contains(tenant)))
            && (self.tiers.is_empty() || task.tier.is_some_and(|tier| self.tiers.contains(&tier)))
            && self.due_within.is_none_or(|limit| due_in.is_some_and(|due| due < limit))
            && self.field.as_ref().is_none_or(|field| field.matches(task.payload.as_message_pack()))
    }
}

impl Field {
    fn new(test: &FieldTest) -> Self {
        Self { path: test.path.split('.').map(str::to_owned).collect(), equals: test.equals.clone() }
    }

    fn matches(&self, payload: &[u8]) -> bool {
        match scan::find(payload, &self.path) {
            Some(Item::Text(text)) => self.equals.as_str() == Some(text),
            Some(Item::Bool(value)) => self.equals.as_bool() == Some(value),
            Some(Item::Unsigned(value)) => {
                self.equals.as_u64() == Some(value) || self.equals_float(value as f64)
            }
            Some(Item::Negative(value)) => {
                self.equals.as_i64() == Some(value) || self.equals_float(value as f64)
            }
            Some(Item::Float(value)) => self.equals.as_f64() == Some(value),
            _ => false,
        }
    }

    /// `equals = 2.0` matches a payload's 2.
    fn equals_float(&self, value: f64) -> bool {
        self.equals.is_f64() && self.equals.as_f64() == Some(value)
    }
}
