//! What happens after a failure: the table of spec S9, compiled, and the decision it leads to.
//!
//! Guarantees: a task never starts more often than it may (INV-3); no wait is longer than its row's maximum;
//! a server's own Retry-After wins over the table; a failure that no retry mends is final at once. Never
//! does: any I/O, look at a clock, or raise an alarm. The worker that records the outcome of a failure of
//! class `security` logs it as an error, which alerts.

mod backoff;
mod blame;
mod decision;
mod settings;
mod table;

pub use backoff::{Backoff, BadBackoff, Waits};
pub use blame::{Consequence, Member, PATIENCE, Suspect, Suspicion, WATCHED, died_at, hold, share_blame};
pub use decision::{decide, last_message, next_message};
pub use settings::{RetryPolicy, RetryTable};
pub use table::{BadTable, Table};
