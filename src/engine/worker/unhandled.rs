//! Tasks of kinds that this worker has no handler for: a rolling deployment, a queue that several programs
//! share, or a slip in a kind. They wait in the schedule set, each time longer, for a worker that has one,
//! and expire by their own time to live. Costs no attempt, and no claim.

use super::{claim::Claimer, receipts};
use clawpool_backends::{broker::Delivery, store::Scheduled};
use clawpool_core::{
    retry::Backoff,
    task::{Task, Timestamp},
};

const BACKOFF: Backoff = Backoff::millis::<200, 5_000>().jitter(0.25);

impl Claimer {
    /// Whether the task is for another worker. What has expired is not: any worker can dead-letter it.
    pub(super) fn is_unhandled(&self, task: &Task) -> bool {
        task.expires_at > Timestamp::now() && self.registry.find(&task.kind).is_none()
    }

    pub(super) async fn put_off_unhandled(&self, tasks: Vec<(Task, Delivery)>) {
        if tasks.is_empty() {
            return;
        }
        let mut entries = Vec::with_capacity(tasks.len());
        let mut receipts = Vec::with_capacity(tasks.len());
        for (task, delivery) in tasks {
            if self.vitals.unhandled(delivery.receipt.queue, &task.kind) {
                let queue = delivery.receipt.queue;
                tracing::warn!(
                    code = "CP-1501", kind = task.kind, %queue, "no handler here: such tasks wait for a \
                        worker that has one"
                );
            }
            match entry(task, Timestamp::now()) {
                Ok(entry) => {
                    entries.push(entry);
                    receipts.push(delivery.receipt);
                }
                Err(error) => self.dead_letter(delivery, &error.to_string()).await,
            }
        }
        let held = self.hold(&entries, receipts).await;
        receipts::acknowledge(&*self.broker, held).await;
    }
}

fn entry(mut task: Task, now: Timestamp) -> Result<Scheduled, clawpool_core::task::CodecError> {
    let wait = BACKOFF.wait(task.handed_on, &mut rand::rng());
    task.handed_on = task.handed_on.saturating_add(1);
    // It comes once more when it expires, and then becomes a dead letter.
    let at = (now + wait).min(task.expires_at);
    Ok(Scheduled { message: task.to_message()?, at })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use clawpool_backends::broker::conformance::message;
    use clawpool_core::task::Priority;

    #[test]
    fn the_same_task_comes_back_and_at_its_expiry_at_the_latest() {
        let task = message(Priority::P2).task().unwrap();
        let now = Timestamp::now();
        let Scheduled { message, at } = entry(task.clone(), now).unwrap();
        assert_eq!(message.task().unwrap(), Task { handed_on: 1, ..task.clone() });
        assert!(at > now && at <= now + BACKOFF.ceiling(0));
        let expiring = Task { expires_at: now + Duration::from_millis(1), ..task };
        assert_eq!(entry(expiring, now).unwrap().at, now + Duration::from_millis(1));
    }
}
