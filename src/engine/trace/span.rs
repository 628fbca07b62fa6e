use std::time::SystemTime;

use clawpool_core::task::TraceContext;

/// One step of a task, over.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its own.
    pub context: TraceContext,
    /// None where the trace begins with it.
    pub parent: Option<u64>,
    /// The producer's `tracestate`.
    pub state: Option<String>,
    /// What was done.
    pub step: Step,
    /// Of the task.
    pub kind: String,
    /// Its beginning.
    pub start: SystemTime,
    /// Its end.
    pub end: SystemTime,
    /// By the names of OpenTelemetry where it has some.
    pub attributes: Vec<(&'static str, Value)>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A task was taken from its producer.
    Enqueue,
    /// It could start and had not.
    Wait,
    /// Its handler ran.
    Attempt,
}

/// Of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
}

impl Step {
    /// The first word of a span's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enqueue => "enqueue",
            Self::Wait => "wait",
            Self::Attempt => "attempt",
        }
    }
}

impl<T: Into<String>> From<T> for Value {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}
