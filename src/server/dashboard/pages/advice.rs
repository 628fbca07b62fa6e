//! What to do about a task that failed.

use clawpool_core::{
    codes::{self, Code},
    task::{DeadReason, ErrorClass},
};

/// Why it became a dead letter, and what helps.
pub(crate) const fn of_reason(reason: DeadReason) -> &'static str {
    match reason {
        DeadReason::Exhausted => "It failed as often as it may. Mend the cause below, then requeue it.",
        DeadReason::Fatal => {
            "No retry mends this error. Mend the task or what it needs, then requeue it, with another \
             payload if that was wrong."
        }
        DeadReason::Expired => {
            "Its time was over before it could start: its queue was paused, or there were too few workers. \
             Requeue it if it is still of use."
        }
        DeadReason::Poison => {
            "Three workers died while they ran it. Look at their crashes before it takes more of them down."
        }
        DeadReason::Undeliverable => {
            "The broker gave it up, or its message is no task. One that cannot be read can only be discarded."
        }
    }
}

/// What helps against errors of this class.
pub(crate) const fn of_class(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Network | ErrorClass::Connection => {
            "See whether the worker's machine reaches the service that the handler talks to."
        }
        ErrorClass::RateLimit | ErrorClass::LlmRateLimit => {
            "The service asks for fewer requests: fewer slots for this kind, or a higher quota there."
        }
        ErrorClass::ServiceUnavailable => "The service is down or overloaded: see its own status.",
        ErrorClass::Timeout => "It took longer than it may: see what it waited for, or allow it more time.",
        ErrorClass::Database => "The database refused or failed: see its log for locks and lost connections.",
        ErrorClass::FileSystem => {
            "A file could not be read or written: see the path, its rights and the disk."
        }
        ErrorClass::Resource => "The machine has too little of something: memory, disk, handles.",
        ErrorClass::Authentication => {
            "Credentials are missing, wrong or not allowed to do this. Not retried."
        }
        ErrorClass::Validation => "The task itself is wrong: mend its payload. Not retried.",
        ErrorClass::Configuration => "The worker is set up in a way that cannot do this. Not retried.",
        ErrorClass::Security => "Something forbidden was tried. Not retried: find out who sent the task.",
        ErrorClass::Panic => "The handler panicked: its log has where.",
        ErrorClass::Other => "The handler did not say what kind of trouble it was: its log may.",
    }
}

/// The code that a message names, with what it means.
pub(crate) fn code_in(message: &str) -> Option<Code> {
    let named = message.split("CP-").skip(1).filter_map(|rest| rest.get(..4));
    named.filter_map(codes::find).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_in_a_message() {
        assert_eq!(code_in("no handler (CP-1203) here").map(|code| code.code), Some("CP-1203"));
        assert_eq!(code_in("CP-xyz and CP-").map(|code| code.code), None);
    }
}
