//! The stock worker: handlers of the configuration, nothing else. The same as `clawpool worker`.

use std::process::ExitCode;

use clap::Parser;
use clawpool_program::cli::{WorkerProgram, failure::end_unread};

fn main() -> ExitCode {
    clawpool_engine::process::guard_if_asked();
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    match WorkerProgram::try_parse() {
        Ok(program) => program.run().await,
        Err(error) => end_unread(&error),
    }
}
