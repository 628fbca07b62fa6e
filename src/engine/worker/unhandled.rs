//! Tasks of kinds that this worker has no handler for: a rolling deployment, a queue that several programs
//! share, or a slip in a kind. They wait in the schedule set, each time longer, for a worker that has one,
//! and expire by their own time to live. Costs no attempt.

use super::engine::Engine;
use clawpool_core::{
    retry::Backoff,
    task::{CodecError, Outcome, Queue, Task, Timestamp},
};

const BACKOFF: Backoff = Backoff::millis::<200, 5_000>().jitter(0.25);

impl Engine {
    /// What becomes of a task that is for another worker, and is told of. None where there is a handler here.
    pub(super) fn unhandled(&self, queue: Queue, task: &Task) -> Option<Outcome> {
        if self.registry.find(&task.kind).is_some() {
            return None;
        }
        if self.vitals.unhandled(queue, &task.kind) {
            tracing::warn!(
                code = "CP-1501", kind = task.kind, %queue, "no handler here: such tasks wait for a worker \
                    that has one"
            );
        }
        Some(put_off(task.clone(), Timestamp::now()).unwrap_or_else(|error| {
            // It was read from the same bytes a moment ago.
            tracing::error!(id = %task.id, %error, "a task cannot be handed on");
            Outcome::Released
        }))
    }
}

fn put_off(mut task: Task, now: Timestamp) -> Result<Outcome, CodecError> {
    let wait = BACKOFF.wait(task.handed_on, &mut rand::rng());
    task.handed_on = task.handed_on.saturating_add(1);
    // It comes once more when it expires, and then becomes a dead letter.
    let at = (now + wait).min(task.expires_at);
    Ok(Outcome::PutOff { message: task.to_message()?, at })
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
        let Outcome::PutOff { message, at } = put_off(task.clone(), now).unwrap() else { panic!() };
        assert_eq!(message.task().unwrap(), Task { handed_on: 1, ..task.clone() });
        assert!(at > now && at <= now + BACKOFF.ceiling(0));
        let expiring = Task { expires_at: now + Duration::from_millis(1), ..task };
        let Outcome::PutOff { at, .. } = put_off(expiring, now).unwrap() else { panic!() };
        assert_eq!(at, now + Duration::from_millis(1));
    }
}
