//! Ends of attempts: durable at the store first, and only then are their messages acknowledged (INV-5).

use tokio_util::task::TaskTracker;

use super::Apart;
use crate::{
    broker::{Broker, Receipt},
    path::{Attempt, PathError},
    store::{End, Settlement},
};
use clawpool_core::task::ProcessId;

/// Those that are on their way: the next outcomes need not wait for them.
pub(super) type Acknowledgements = TaskTracker;

impl Apart {
    pub(super) async fn settle(
        &self,
        worker: ProcessId,
        attempts: &[Attempt],
    ) -> Result<Vec<bool>, PathError> {
        let settlements: Vec<Settlement> = attempts.iter().map(Attempt::settlement).collect();
        let accepted = self.store.settle(worker, &settlements).await?;
        let mut done = Vec::new();
        let mut back = Vec::new();
        for (attempt, accepted) in attempts.iter().zip(&accepted) {
            // Only the worker that ended the task may end its message: what was refused goes back. The
            // message may be the one that brings the task to its next run, also to this worker. If the task
            // is over, the next claim drops it.
            let is_done = *accepted && !matches!(attempt.end, End::Released);
            if is_done { &mut done } else { &mut back }.push(attempt.receipt.clone());
        }
        let broker = self.broker.clone();
        self.acknowledgements.spawn(async move {
            acknowledge(&*broker, done).await;
            give_back(&*broker, back).await;
        });
        Ok(accepted)
    }
}

/// An acknowledgement that got lost lets the message come again, and its claim says what became of the task.
pub(super) async fn acknowledge(broker: &dyn Broker, receipts: Vec<Receipt>) {
    if receipts.is_empty() {
        return;
    }
    if let Err(error) = broker.ack(receipts).await {
        let code = error.code();
        tracing::debug!(code, %error, "acknowledgements were lost; messages that return are dropped");
    }
}

/// What could not be given back is found when the broker's count of what this worker holds is compared.
pub(super) async fn give_back(broker: &dyn Broker, receipts: Vec<Receipt>) {
    if receipts.is_empty() {
        return;
    }
    if let Err(error) = broker.release(receipts).await {
        tracing::debug!(code = error.code(), %error, "tasks could not be given back; the broker will notice");
    }
}
