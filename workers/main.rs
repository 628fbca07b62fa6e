//! The stock worker: handlers of the configuration, nothing else. The same as `clawpool worker`.

use std::process::ExitCode;

use clap::Parser;
use clawpool::cli::WorkerProgram;

#[tokio::main]
async fn main() -> ExitCode {
    let program = WorkerProgram::parse();
    clawpool::install_tls();
    program.run().await
}
