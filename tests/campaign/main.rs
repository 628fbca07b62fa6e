//! Faults injected into running pools, with a ledger outside of them: `tests/campaign/run --help`.
//!
//! A proxy on every link resets, swallows, delays and half-opens; every process is killed and stopped;
//! servers refuse writes; disks fill; clocks are stepped. In the end each accepted task must be done, none
//! twice at a time.

// Helpers panic as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

#[cfg(target_os = "linux")]
mod linux;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Runners of tests start every program of tests; this one is no test of theirs.
    if std::env::var_os("CLAWPOOL_CAMPAIGN").is_none() {
        return ExitCode::SUCCESS;
    }
    #[cfg(target_os = "linux")]
    return linux::main();
    #[cfg(not(target_os = "linux"))]
    panic!("the campaign breaks things as Linux has them: run it there");
}
