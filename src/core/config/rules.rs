//! The classification table: a user's own rules, and the shipped ones behind them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::task::{KindPattern, Priority, Tier, span};

/// One row of the classification table. Every condition given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Kinds, or patterns of them (`voice.*`); none: every kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<KindPattern>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<FieldTest>,
    /// The task's deadline (its expiry) is nearer than this.
    #[serde(default, with = "span::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub due_within: Option<Duration>,
    #[schemars(with = "String")]
    pub priority: Priority,
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
            priority,
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
    pub path: String,
    pub equals: serde_json::Value,
}
