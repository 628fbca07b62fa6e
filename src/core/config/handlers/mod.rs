//! The list `[[handlers]]`: handlers that are not Rust code.

mod exec;
mod http;

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{exec::Exec, http::Http};
use super::reading::{Key, Report};
use crate::task::KindPattern;

/// The kinds that every stock worker runs without a word in its configuration; `workers/handlers` has what
/// runs them.
pub const SHIPPED_KINDS: [&str; 2] = ["clawpool.noop", "clawpool.sleep"];

/// A handler that is not Rust code. Exactly one of `exec` and `http`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandlerSpec {
    /// The kind it runs, or a pattern (`email.*`). A kind wins over a pattern, and a pattern over one with
    /// fewer letters.
    pub kind: KindPattern,
    /// A program that runs once for each task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<Exec>,
    /// A web service to which each task is posted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
}

pub(super) fn check(handlers: &[HandlerSpec], report: &mut Report) {
    let mut kinds = HashSet::new();
    for (index, handler) in handlers.iter().enumerate() {
        let key = Key::from("handlers").index(index);
        if !kinds.insert(&handler.kind) {
            let rule = "another handler runs this kind";
            report.conflict(&[&key.name("kind")], handler.shown(), rule, "keep one of them");
        }
        handler.check(&key, report);
    }
}

impl HandlerSpec {
    fn check(&self, key: &Key, report: &mut Report) {
        let rule = match (&self.exec, &self.http) {
            (Some(exec), None) => return exec.check(&key.name("exec"), report),
            (None, Some(http)) => return http.check(&key.name("http"), report),
            (Some(_), Some(_)) => "it has both exec and http",
            (None, None) => "it has neither exec nor http",
        };
        report.conflict(&[key], self.shown(), rule, "give it exactly one of them");
    }

    fn shown(&self) -> String {
        format!("{:?}", self.kind.as_str())
    }
}
