//! Signals, links, disks and clocks, broken as Linux has them.

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
#[path = "../../it/support/mod.rs"]
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

use self::options::Options;

#[tokio::main]
pub async fn main() -> ExitCode {
    let options = Options::parse();
    let run = async {
        if options.soak.is_some() { soak::run(&options).await } else { report::run(&options).await }
    };
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    // Interrupted, it still ends what it has started.
    tokio::select! {
        good = run => if good { ExitCode::SUCCESS } else { ExitCode::FAILURE },
        _ = ctrl_c() => ExitCode::from(130),
        _ = terminate.recv() => ExitCode::from(143),
    }
}
