//! One attempt without a broker and a store, for tests of handlers.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clawpool_core::task::{Failure, NewTask, Payload, Priority, Task, TaskId, Timestamp};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{Context, Handler, Progress};

/// One attempt of a task that is on no queue.
///
/// Guarantees: the handler gets what a worker would give it, its deadline and cancellation included. Never
/// does: retry, or touch a server.
pub struct TestAttempt {
    task: Task,
    cancelled: CancellationToken,
    progress: Progress,
    said: Mutex<Vec<String>>,
}

impl TestAttempt {
    /// The first attempt of this task. What the task does not say is as the shipped configuration has it for
    /// P4.
    #[must_use]
    pub fn of(task: NewTask) -> Self {
        let now = Timestamp::now();
        let task = Task {
            version: Task::VERSION,
            id: task.id.unwrap_or_else(TaskId::new),
            enqueued_by: None,
            kind: task.kind,
            payload: task.payload,
            priority: task.priority.unwrap_or(Priority::P4),
            queue: None,
            tenant: task.tenant,
            tier: task.tier,
            session: task.session,
            enqueued_at: now,
            not_before: task.not_before,
            expires_at: task.expires_at.unwrap_or(now + task.ttl.unwrap_or(Duration::from_hours(24))),
            attempt: 0,
            max_attempts: task.max_attempts,
            retry: task.retry,
            timeout: task.timeout.unwrap_or(Duration::from_mins(5)),
            unique_key: task.unique_key,
            trace: task.trace,
            trace_state: task.trace_state,
            meta: task.meta,
            result_ttl: task.result_ttl.unwrap_or(Duration::from_hours(24)),
            generation: 0,
            handed_on: 0,
            errors: Vec::new(),
        };
        let cancelled = CancellationToken::new();
        let progress = Progress::default();
        Self { task, cancelled, progress, said: Mutex::default() }
    }

    /// Which attempt it is: 1 is the first.
    #[must_use]
    pub fn attempt(mut self, number: u32) -> Self {
        self.task.attempt = number.saturating_sub(1);
        self
    }

    /// Fires what the handler sees as [`Context::cancelled`]; at the deadline this happens by itself.
    pub fn cancel(&self) {
        self.cancelled.cancel();
    }

    /// Runs a handler until it ends, or until its deadline has passed.
    ///
    /// # Errors
    /// What the handler fails with; [`ErrorClass::Timeout`](clawpool_core::task::ErrorClass) after the
    /// deadline.
    pub async fn run(&self, handler: &dyn Handler) -> Result<Payload, Failure> {
        let deadline = Instant::now() + self.task.timeout;
        let context = Context::new(
            Arc::new(self.task.clone()),
            deadline,
            self.cancelled.clone(),
            self.progress.clone(),
        );
        let outcome = timeout(self.task.timeout, handler.run(context)).await;
        let news = self.progress.take().into_iter().map(|(_, news)| news);
        self.said.lock().unwrap_or_else(PoisonError::into_inner).extend(news);
        outcome.unwrap_or_else(|elapsed| Err(elapsed.into()))
    }

    /// The last progress that the handler told in each run.
    pub fn progress(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use clawpool_core::task::ErrorClass;

    use super::*;
    use crate::worker::Function;

    #[tokio::test(start_paused = true)]
    async fn a_handler_sees_its_attempt_and_its_deadline() {
        let task =
            NewTask { timeout: Some(Duration::from_secs(3)), ..NewTask::new("test.kind", Payload::null()) };
        let attempt = TestAttempt::of(task).attempt(2);
        let asked = Function::new(|context: Context, (): ()| async move {
            context.progress("half way");
            Ok((context.attempt(), context.time_left()))
        });
        let answer: (u32, Duration) = attempt.run(&asked).await.unwrap().decode().unwrap();
        assert_eq!(answer, (2, Duration::from_secs(3)));
        assert_eq!(attempt.progress(), ["half way"]);
        let endless = Function::new(|_: Context, (): ()| std::future::pending::<Result<(), Failure>>());
        assert_eq!(attempt.run(&endless).await.unwrap_err().class, ErrorClass::Timeout);
    }
}
