//! Faults injected into running pools, with a ledger outside of them: `tests/campaign/run --help`.
//!
//! A proxy on every link resets, swallows, delays and half-opens; every process is killed and stopped; servers refuse
//! writes; disks fill; clocks are stepped. In the end each accepted task must be done, none twice at a time.

// Helpers panic as tests do.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod campaign;
mod clock;
mod disk;
mod effects;
mod fault;
mod inject;
mod link;
mod load;
mod options;
mod plan;
mod program;
mod recovery;
mod report;
mod settings;
mod soak;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, unused_imports, clippy::needless_pass_by_value)]
mod support;
mod verdict;
mod vitals;
mod world;

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};

use crate::options::Options;

#[tokio::main]
async fn main() -> ExitCode {
    // Runners of tests start every program of tests; this one is no test of theirs.
    if std::env::var_os("CLAWPOOL_CAMPAIGN").is_none() {
        return ExitCode::SUCCESS;
    }
    let options = Options::parse();
    let run = async { if options.soak.is_some() { soak::run(&options).await } else { report::run(&options).await } };
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    // Interrupted, it still ends what it has started.
    tokio::select! {
        good = run => if good { ExitCode::SUCCESS } else { ExitCode::FAILURE },
        _ = ctrl_c() => ExitCode::from(130),
        _ = terminate.recv() => ExitCode::from(143),
    }
}
