//! The stock worker: handlers of the configuration, nothing else. The same as `clawpool worker`.

use std::process::ExitCode;

use clap::Parser;
use clawpool_program::cli::WorkerProgram;

fn main() -> ExitCode {
    clawpool_engine::process::guard_if_asked();
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    let program = WorkerProgram::parse();
    program.run().await
}
