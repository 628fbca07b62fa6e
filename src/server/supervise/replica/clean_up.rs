//! What a worker that ended leaves behind: its programs, its lease, its tasks.
//!
//! Guarantees: its programs are ended before its tasks go back, so that none runs twice at a time. Never
//! does: hold up the next worker for longer than [`CLEAN_UP_TIME`] when servers do not answer.

use std::{error::Error, time::Duration};

use tokio::time::timeout;

use crate::supervise::supervisor::Supervisor;
use clawpool_core::task::{ProcessId, TaskId};
use clawpool_engine::process::{Mark, end_marked_aside};

/// Time to give a dead worker's tasks back. What is left then is done by the reaper, after the lease.
const CLEAN_UP_TIME: Duration = Duration::from_secs(5);

impl Supervisor {
    /// Sends a dead worker's tasks back at once and answers which it had claimed.
    pub(super) async fn clean_up(&self, worker: ProcessId, polled: Option<&[TaskId]>) -> Vec<TaskId> {
        let killed = end_marked_aside(vec![Mark::owner(&worker.to_string())]).await;
        if killed > 0 {
            tracing::warn!(%worker, killed, "ended the programs that the worker left running");
        }
        let mut tasks = Vec::new();
        match timeout(CLEAN_UP_TIME, self.give_back(worker, polled, &mut tasks)).await {
            Ok(Ok(messages)) => {
                tracing::info!(%worker, messages, "the worker's tasks are back on their queues")
            }
            Ok(Err(error)) => {
                tracing::warn!(%worker, %error, "the worker's tasks go back when its lease ends")
            }
            Err(_) => {
                tracing::warn!(%worker, "no answer within {CLEAN_UP_TIME:?}; the worker's tasks go back \
                    when its lease ends")
            }
        }
        tasks
    }

    async fn give_back(
        &self,
        worker: ProcessId,
        polled: Option<&[TaskId]>,
        tasks: &mut Vec<TaskId>,
    ) -> Result<u64, Box<dyn Error + Send + Sync>> {
        *tasks = self.store.end_lease(worker, polled).await?;
        let messages = self.broker.reclaim(worker).await?;
        self.store.forget(worker).await?;
        Ok(messages)
    }
}
