//! The producer's token, and what it allows its tasks.

use super::{Fault, Rejection};
use clawpool_backends::store::{Admission, Record};
use clawpool_core::task::NewTask;

/// The name of a token, which its tasks keep, and the tenants that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerToken {
    /// As the configuration names it.
    pub name: String,
    /// Only for these; for any and for none when empty.
    pub tenants: Vec<String>,
}

impl ProducerToken {
    /// Whether the token is for tasks of this tenant.
    pub fn is_for(&self, tenant: Option<&str>) -> bool {
        self.tenants.is_empty() || tenant.is_some_and(|tenant| self.tenants.iter().any(|own| own == tenant))
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

/// Whether a known task belongs to another token than the one that repeats its id, which then must not learn
/// of it. What came without a token (over AMQP, or in an earlier version) is told apart by its tenant alone.
pub(super) fn is_of_another_token(record: &Record, admission: &Admission) -> bool {
    match (&admission.enqueued_by, &record.enqueued_by) {
        (Some(token), Some(other)) => token != other,
        (Some(_), None) => admission.tenant != record.tenant,
        (None, _) => false,
    }
}
