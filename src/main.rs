use std::process::ExitCode;

use clap::Parser;
use clawpool::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();

    clawpool::install_tls();
    cli.run().await
}
