//! The stock worker: handlers of the configuration, nothing else. The same as `clawpool worker`.

use std::process::ExitCode;

use clap::Parser;
use clawpool::cli::WorkerProgram;

fn main() -> ExitCode {
    clawpool::process::guard_if_asked();
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    let program = WorkerProgram::parse();
    clawpool::install_tls();
    program.run().await
}
