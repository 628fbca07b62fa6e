use std::process::ExitCode;

use clap::Parser;
use clawpool::cli::Cli;

fn main() -> ExitCode {
    clawpool::process::guard_if_asked();
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    let cli = Cli::parse();

    clawpool::install_tls();
    cli.run().await
}
