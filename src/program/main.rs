use std::process::ExitCode;

use clap::Parser;
use clawpool_program::cli::Cli;

fn main() -> ExitCode {
    clawpool_engine::process::guard_if_asked();
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    let cli = Cli::parse();

    cli.run().await
}
