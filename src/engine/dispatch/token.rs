//! The producer's token, and what it allows its tasks.

use super::{Fault, Rejection};
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
