//! The list `[[rules]]`, the classification table: a user's own rules, and the shipped ones behind them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Config,
    queues::suggestion,
    reading::{Key, Report},
};
use crate::task::{KindPattern, Priority, Queue, Tier, span};

/// One row of the classification table. Every condition given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Kinds, or patterns of them (`voice.*`); none: every kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<KindPattern>,
    /// Tenants of whose tasks it decides; none: of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// Tiers of whose tasks it decides; none: of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// What a field of the payload must equal; absent: payloads do not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<FieldTest>,
    /// The task's deadline (its expiry) is nearer than this.
    #[serde(default, with = "span::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub due_within: Option<Duration>,
    /// What a task gets for which the conditions hold: it goes to the priority's own queue. Exactly one of
    /// `priority` and `queue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub priority: Option<Priority>,
    /// The queue that it goes to, by name; the queue has its priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}

impl Rule {
    /// The task types of spec S2.
    pub(super) fn shipped() -> Vec<Self> {
        let rows: [(&[&str], Priority); 7] = [
            (&["voice.*", "twilio.*"], Priority::P0),
            (&["input.*", "stt.*", "speech.*"], Priority::P1),
            (&["llm.*"], Priority::P2),
            (&["browser.*"], Priority::P3),
            (&["email.*", "gmail.*"], Priority::P4),
            (&["cron.*", "loop.*", "loop_*"], Priority::P5),
            (&["background.*", "batch.*"], Priority::P6),
        ];
        let rule = |(kinds, priority): (&[&str], Priority)| Self {
            kinds: kinds.iter().filter_map(|kind| kind.parse().ok()).collect(),
            priority: Some(priority),
            ..Self::default()
        };
        rows.into_iter().map(rule).collect()
    }

    /// The table as it holds: a user's own rules come first, and those shipped ones follow that can still
    /// decide.
    pub(super) fn with_shipped(own: Vec<Self>) -> Vec<Self> {
        let reached =
            Self::shipped().into_iter().filter(|shipped| !own.iter().any(|rule| rule.covers(shipped)));
        let reached: Vec<Self> = reached.collect();
        own.into_iter().chain(reached).collect()
    }

    /// Whether this is one of the shipped rules, and no user's own.
    pub fn is_shipped(&self) -> bool {
        Self::shipped().contains(self)
    }

    /// Whether this one matches every task that `later` matches. False when that cannot be told.
    pub(super) fn covers(&self, later: &Self) -> bool {
        let within = match (self.due_within, later.due_within) {
            (None, _) => true,
            (Some(own), Some(later)) => later <= own,
            (Some(_), None) => false,
        };
        within
            && subset(&self.tenants, &later.tenants, |wide, narrow| wide == narrow)
            && subset(&self.tiers, &later.tiers, |wide, narrow| wide == narrow)
            && subset(&self.kinds, &later.kinds, KindPattern::covers)
            && (self.field.is_none() || self.field == later.field)
    }
}

/// An empty list is no condition.
fn subset<T>(earlier: &[T], later: &[T], covers: impl Fn(&T, &T) -> bool) -> bool {
    earlier.is_empty()
        || (!later.is_empty() && later.iter().all(|narrow| earlier.iter().any(|wide| covers(wide, narrow))))
}

/// A field of the payload, by dotted path, and the text, number or boolean it must equal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldTest {
    /// Names joined by dots, from the top of the payload: `user.plan`.
    pub path: String,
    /// A text, a number or a boolean.
    pub equals: Value,
}

impl Config {
    /// Where a rule sends its tasks. `None` where it says nothing, or names a queue that is not there.
    pub fn target(&self, rule: &Rule) -> Option<Queue> {
        match &rule.queue {
            Some(name) => self.queue_named(name),
            None => rule.priority.map(Priority::queue),
        }
    }
}

pub(super) fn check(config: &Config, report: &mut Report) {
    let rules = &config.rules;
    let known = config.known_queues();
    for (index, rule) in rules.iter().enumerate() {
        let key = Key::from("rules").index(index);
        rule.check_target(&key, &known, report);
        rule.check_conditions(&key, report);
        if let Some(earlier) = rules[..index].iter().position(|earlier| earlier.covers(rule)) {
            let earlier_key = Key::from("rules").index(earlier);
            let shown = report.original(&earlier_key);
            let text = format!("{shown} matches every task that it matches, so it never decides");
            let fix = format!("move it before {shown}, or take it out");
            report.add_broken("CP-1011", &[&key, &earlier_key], rule.shown_target(), text, fix);
        }
    }
}

impl Rule {
    fn shown_target(&self) -> String {
        let priority = self.priority.map(|priority| priority.to_string());
        priority.or_else(|| self.queue.clone()).unwrap_or_default()
    }

    fn check_target(&self, key: &Key, known: &[Queue], report: &mut Report) {
        match (self.priority, &self.queue) {
            (None, None) => {
                let fix = format!("add {} or {}", key.name("priority"), key.name("queue"));
                report.add("CP-1005", key, "it says neither \"priority\" nor \"queue\"", fix);
            }
            (Some(priority), Some(_)) => {
                let keys = [&key.name("priority"), &key.name("queue")];
                let rule = "a queue has its own priority, and the rule names a queue as well";
                report.conflict(&keys, priority, rule, "take one of them out");
            }
            (None, Some(name)) if !known.iter().any(|queue| queue.name() == name) => {
                let fix = suggestion(name, known.iter().map(|queue| queue.name()));
                report.refuse(&key.name("queue"), format!("{name:?}"), "no queue has this name", fix);
            }
            _ => {}
        }
    }

    fn check_conditions(&self, key: &Key, report: &mut Report) {
        if self.due_within.is_some_and(|span| span.is_zero()) {
            let rule = "no deadline is nearer than now";
            report.refuse(&key.name("due_within"), "0s", rule, "write for example \"1m\"");
        }
        if let Some(field) = &self.field {
            field.check(&key.name("field"), report);
        }
    }
}

impl FieldTest {
    pub(super) fn check(&self, key: &Key, report: &mut Report) {
        if self.path.split('.').any(str::is_empty) {
            let shown = format!("{:?}", self.path);
            let fix = "write for example \"user.plan\"";
            report.refuse(&key.name("path"), shown, "a step of the path is empty", fix);
        }
        if matches!(self.equals, Value::Null | Value::Array(_) | Value::Object(_)) {
            let rule = "a field is compared with text, a number or true/false";
            report.refuse(&key.name("equals"), &self.equals, rule, "compare with a single value");
        }
    }
}
