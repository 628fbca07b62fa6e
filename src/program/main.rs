use std::process::ExitCode;

use clap::Parser;
use clawpool_program::cli::{Cli, failure::end_unread};

fn main() -> ExitCode {
    clawpool_engine::process::guard_if_asked();
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cli.run().await,
        Err(error) => end_unread(&error),
    }
}
