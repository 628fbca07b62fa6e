use std::process::ExitCode;

use clap::Parser;
use clawpool::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // TLS for the commands that ask a server over https. Fails only when it is set already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli.run().await
}
