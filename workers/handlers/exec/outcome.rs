use std::process::ExitStatus;

use super::{Run, Stop, pipes::Notes};
use crate::reply::{self, ErrorReply};
use clawpool_core::{
    config,
    task::{ErrorClass, Failure, Payload},
};
use clawpool_engine::process::{describe, signal};

/// What the program's end means for its task.
pub(super) fn of(spec: &config::Exec, run: Run, output: &[u8], notes: &Notes) -> Result<Payload, Failure> {
    let status = run.status.map_err(|error| {
        let message = format!("the program's end could not be observed: {error}");
        notes.after(Failure::new(ErrorClass::Resource, message))
    })?;
    if status.success() {
        // Told to stop or not, it finished.
        return reply::result(output);
    }
    let how = describe(status);
    if let Some(stop) = run.stopped {
        let message = match stop {
            Stop::Deadline => format!("the program ran past its deadline and was stopped ({how})"),
            Stop::Cancelled => format!("the program was told to stop before it was done ({how})"),
            Stop::TooMuchOutput => format!("the program was killed for too much output ({how})"),
        };
        let failure = Failure { exit: status.code(), ..Failure::new(ErrorClass::Timeout, message) };
        return Err(notes.after(failure));
    }
    let failure = Failure::new(class(spec, status), format!("the program ended with {how}"));
    let failure = Failure { exit: status.code(), fatal: is_fatal(spec, status), ..failure };
    let failure = match ErrorReply::read(output) {
        Some(reply) => reply.refine(&failure),
        None => failure,
    };
    Err(notes.after(failure))
}

/// Codes for another try are those of a service that is away for now; everything else the program has to say
/// itself.
fn class(spec: &config::Exec, status: ExitStatus) -> ErrorClass {
    match (status.code(), signal(status)) {
        (Some(code), _) if spec.retry_codes.contains(&code) => ErrorClass::ServiceUnavailable,
        // SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV: a fault of the program, as a panic is one of a
        // Rust handler.
        (None, Some(4..=8 | 10 | 11)) => ErrorClass::Panic,
        // SIGKILL that was not ours: the kernel, short of memory.
        (None, Some(9)) => ErrorClass::Resource,
        _ => ErrorClass::Other,
    }
}

fn is_fatal(spec: &config::Exec, status: ExitStatus) -> bool {
    status.code().is_some_and(|code| spec.fatal_codes.contains(&code))
}
