//! How well each class keeps its promise, for the overview.

use clawpool_core::task::Priority;
use clawpool_engine::client::figures::ClassSlaView;

use super::span::Span;
use crate::dashboard::words;

/// How well one class keeps its promise.
pub(super) struct Promise {
    pub(super) priority: Priority,
    pub(super) promise: String,
    pub(super) objective: String,
    pub(super) starts: String,
    pub(super) late: String,
    pub(super) kept: String,
    pub(super) class: &'static str,
    /// Of 100, for the bar.
    pub(super) budget: u32,
    pub(super) budget_text: String,
    pub(super) p99: String,
}

impl Promise {
    /// None where the span is none of those that are kept.
    pub(super) fn of(class: &ClassSlaView, span: &Span) -> Option<Self> {
        let kept = class.spans.get(span.promise)?;
        let left = kept.budget_left;
        let (state, text) = match kept.kept {
            None => ("", "nothing started".to_owned()),
            Some(_) if left < 0.0 => ("bad", "missed".to_owned()),
            Some(_) => (if left < 0.25 { "warn" } else { "good" }, format!("{} left", words::percent(left))),
        };
        Some(Self {
            priority: class.priority,
            promise: words::millis(class.promise_ms as f64),
            objective: words::percent(class.objective),
            starts: words::count(kept.starts),
            late: words::count(kept.late),
            kept: kept.kept.map_or_else(|| "–".to_owned(), words::percent),
            class: state,
            budget: if kept.kept.is_some() { (left.clamp(0.0, 1.0) * 100.0) as u32 } else { 0 },
            budget_text: text,
            p99: kept.wait.p99_ms.map_or_else(|| "–".to_owned(), words::millis),
        })
    }
}
