use std::{
    collections::HashMap,
    future::Future,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::AttemptLog;
use clawpool_core::task::{ErrorClass, Failure, LogSource, Payload, Task, TaskId, TraceContext};

/// Runs the tasks of one kind, or of one prefix of kinds. An `Err` is retried or dead-lettered by its class
/// (spec S9).
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Runs one attempt. The value is the result that the task's producer may ask for.
    async fn run(&self, context: Context) -> Result<Payload, Failure>;
}

/// What a handler knows of the attempt it runs.
#[derive(Clone)]
pub struct Context {
    /// The task as it was enqueued, with the errors of earlier attempts.
    pub task: Arc<Task>,
    deadline: Instant,
    cancelled: CancellationToken,
    progress: Progress,
    /// The span of this attempt.
    trace: Option<TraceContext>,
    log: AttemptLog,
}

impl Context {
    /// For tests of handlers; the worker makes its own.
    pub fn new(task: Arc<Task>, deadline: Instant, cancelled: CancellationToken, progress: Progress) -> Self {
        Self { task, deadline, cancelled, progress, trace: None, log: AttemptLog::default() }
    }

    /// The same, with a log.
    #[must_use]
    pub fn with_log(self, log: AttemptLog) -> Self {
        Self { log, ..self }
    }

    pub(super) fn within(self, trace: Option<TraceContext>) -> Self {
        Self { trace, ..self }
    }

    /// What is to be the parent of everything that the handler traces: the span of this attempt, as a W3C
    /// `traceparent`. None for a task without a trace. In a test it is the producer's own.
    pub fn traceparent(&self) -> Option<String> {
        self.trace.map(|trace| trace.to_string()).or_else(|| self.task.trace.clone())
    }

    /// The W3C `tracestate` that goes with it, as the producer gave it.
    pub fn tracestate(&self) -> Option<&str> {
        self.task.trace_state.as_deref()
    }

    /// 1 for the first attempt.
    pub fn attempt(&self) -> u32 {
        self.task.attempt + 1
    }

    /// When the attempt fails with a timeout.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Until the deadline; zero after it.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Fires when the handler should stop: cancelled, past its deadline, or the worker must leave. A handler
    /// that goes on is dropped after the grace of the configuration; one that never yields is abandoned with
    /// its worker.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Tells operators how far the task is (`tasks show`); sent with the next heartbeat.
    pub fn progress(&self, news: impl Into<String>) {
        self.progress.put(self.task.id, news.into());
    }

    /// Adds a line to the attempt's log (`clawpool logs`). It is written some time later, beside the task.
    pub fn log(&self, line: impl AsRef<str>) {
        self.log.line(LogSource::Log, line.as_ref());
    }

    /// Where the attempt's lines go.
    pub const fn attempt_log(&self) -> &AttemptLog {
        &self.log
    }

    /// The payload as `T`. A payload of another shape is a validation failure: no retry mends it.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        self.task.payload.decode().map_err(|error| {
            Failure::new(
                ErrorClass::Validation,
                format!("the payload of {} does not fit its handler: {error}", self.task.kind),
            )
        })
    }
}

/// The latest news of each running task, on their way from handlers to the next heartbeat. Holds one line a
/// task, however often a handler speaks.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<HashMap<TaskId, String>>>);

impl Progress {
    fn put(&self, id: TaskId, news: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, news);
    }

    /// Takes all the news out.
    pub fn take(&self) -> Vec<(TaskId, String)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }
}

/// Makes a [`Handler`] of an async function from context and typed payload to any serialisable result.
pub struct Function<F, T>(F, PhantomData<fn() -> T>);

impl<F, T> Function<F, T> {
    pub const fn new(function: F) -> Self {
        Self(function, PhantomData)
    }
}

#[async_trait]
impl<F, Fut, T, R> Handler for Function<F, T>
where
    F: Fn(Context, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Failure>> + Send,
    T: DeserializeOwned + Send + 'static,
    R: Serialize + Send,
{
    async fn run(&self, context: Context) -> Result<Payload, Failure> {
        let payload = context.payload()?;
        let result = (self.0)(context, payload).await?;
        Payload::encode(&result).map_err(|error| {
            Failure::new(ErrorClass::Other, format!("the result cannot be encoded: {error}"))
        })
    }
}
