//! The producer's token, and what it allows its tasks.

use super::{Fault, Rejection};
use clawpool_core::task::{NewTask, Queue, QueuePattern};

/// The name of a token, which its tasks keep, and the tenants and queues that it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerToken {
    /// As it was given when the token was made.
    pub name: String,
    /// Only for these; for any and for none when empty.
    pub tenants: Vec<String>,
    /// Only for tasks on these; for any when empty.
    pub queues: Vec<QueuePattern>,
}

impl ProducerToken {
    /// Whether the token is for tasks of this tenant.
    pub fn is_for(&self, tenant: Option<&str>) -> bool {
        self.tenants.is_empty() || tenant.is_some_and(|tenant| self.tenants.iter().any(|own| own == tenant))
    }

    /// Whether the token is for tasks on this queue.
    pub fn reaches(&self, queue: Queue) -> bool {
        self.queues.is_empty() || self.queues.iter().any(|own| own.matches(queue))
    }

    /// Refuses a queue that the token is not for, chosen by the task or by the rules.
    pub(super) fn check_queue(&self, queue: Queue) -> Result<(), Rejection> {
        if self.reaches(queue) {
            return Ok(());
        }
        let own: Vec<&str> = self.queues.iter().map(QueuePattern::as_str).collect();
        let message = format!(
            "the task goes to the queue {queue}, and this token enqueues only on {}: name one of them, or \
             use another token",
            own.join(", ")
        );
        Err(Rejection::invalid("CP-1129", "queue", message).with_fault(Fault::Forbidden))
    }

    /// Names the task's tenant where the token has only one; refuses one that the token is not for.
    pub(super) fn assign_tenant(&self, task: &mut NewTask) -> Result<(), Rejection> {
        if let (None, [only]) = (&task.tenant, self.tenants.as_slice()) {
            task.tenant = Some(only.clone());
        }
        if self.is_for(task.tenant.as_deref()) {
            return Ok(());
        }
        let names = task.tenant.as_deref();
        let own = self.tenants.join(", ");
        let what =
            names.map_or("the task names no tenant".to_owned(), |tenant| format!("the tenant is {tenant:?}"));
        let message =
            format!("{what}, and this token enqueues only for {own}: name one of them, or use another token");
        Err(Rejection::invalid("CP-1125", "tenant", message).with_fault(Fault::Forbidden))
    }
}
