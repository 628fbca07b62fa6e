//! Measures Clawpool beside the raw ceiling of its brokers. README.md explains the scenarios.

mod goal;
mod lane;
mod machine;
mod mix;
mod plot;
mod process;
mod raw;
mod report;
mod rounds;
mod scenario;
mod servers;
mod site;
mod worker;

use std::{num::NonZeroUsize, path::PathBuf, process::ExitCode};

use anyhow::{Result, bail, ensure};
use clap::{Parser, Subcommand};

use report::Report;
use scenario::Scenario;
use site::{Site, Size};

/// Measures Clawpool. Without a scenario: all of them.
#[derive(Debug, Parser)]
#[command(name = "clawpool-load", version, args_conflicts_with_subcommands = true)]
struct Program {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    wish: Wish,
}

#[derive(Clone, Debug, clap::Args)]
struct Wish {
    scenarios: Vec<Scenario>,
    /// Small numbers and one round: all scenarios in five minutes
    #[arg(long)]
    quick: bool,
    /// Tiny numbers: shows that the scenario runs, measures nothing
    #[arg(long, conflicts_with = "quick")]
    smoke: bool,
    /// How often each contestant runs [default: 3, quick and smoke: 1]
    #[arg(long)]
    rounds: Option<usize>,
    /// Only contestants whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// How many tasks `ceiling`, `enqueue` and `drain` take [default: each its own number]
    #[arg(long)]
    tasks: Option<NonZeroUsize>,
    /// Worker slots of a worker that is measured
    #[arg(long, default_value_t = 256)]
    slots: u16,
    /// The classes, their shares and handler times of the scenario `mixed`
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/mix.toml"))]
    mix: PathBuf,
    /// Where `peers/install` put the peers [default: target/peers; with --smoke: they are left out]
    #[arg(long, value_name = "DIR", env = "PEERS_FOLDER")]
    peers: Option<PathBuf>,
    /// Write the figures here too, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where SCENARIO.md, SCENARIO.json and SCENARIO.svg go
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/results"))]
    out: PathBuf,
    /// A Redis to use, in place of one started for the run
    #[arg(long, env = "CLAWPOOL_TEST_REDIS")]
    redis: Option<String>,
    /// A RabbitMQ to use, in place of one started for the run
    #[arg(long, env = "CLAWPOOL_TEST_RABBITMQ")]
    rabbitmq: Option<String>,
}

impl Wish {
    fn peers(&self) -> Option<PathBuf> {
        let usual = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/peers"));
        self.peers.clone().or_else(|| (!self.smoke).then(usual))
    }
}

/// What this program is when it starts itself.
#[derive(Debug, Subcommand)]
enum Role {
    /// A worker process with the handlers that measure
    #[command(hide = true)]
    Worker,
    /// The clawpool program
    #[command(hide = true, disable_help_flag = true)]
    Clawpool {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let program = Program::parse();
    let ended = match program.role {
        Some(Role::Worker) => worker::run().await,
        Some(Role::Clawpool { arguments }) => {
            let arguments = std::iter::once("clawpool".to_owned()).chain(arguments);
            return clawpool_program::cli::Cli::parse_from(arguments).run().await;
        }
        None => tokio::select! {
            ended = measure(program.wish) => ended,
            // Whatever was started ends with the run that is dropped.
            told = told_to_end() => told.and_then(|()| bail!("told to end")),
        },
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("clawpool-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(unix)]
async fn told_to_end() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

#[cfg(not(unix))]
async fn told_to_end() -> Result<()> {
    Ok(tokio::signal::ctrl_c().await?)
}

async fn measure(wish: Wish) -> Result<()> {
    let scenarios = if wish.scenarios.is_empty() { Scenario::all() } else { wish.scenarios.clone() };
    // Before anything is measured: a run of all takes long.
    scenarios.iter().try_for_each(|scenario| scenario.check(&wish))?;
    let mut reports = Vec::new();
    for scenario in scenarios {
        // Servers of its own for each scenario: what one leaves behind must not weigh on the next.
        let site = Site::prepare(&wish).await?;
        let report = run(scenario, &site, &wish).await;
        site.close().await?;
        print!("{}", report.markdown());
        if site.size != Size::Smoke {
            report.write(&wish.out)?;
        }
        reports.push(report);
    }
    if reports.len() > 1 {
        print!("{}", report::targets(&reports));
    }
    if let Some(file) = &wish.json {
        std::fs::write(file, serde_json::to_vec_pretty(&reports)?)?;
    }
    let failures: Vec<&str> = reports.iter().flat_map(Report::failures).collect();
    ensure!(failures.is_empty(), "not every contestant was measured: {}", failures.join("; "));
    Ok(())
}

async fn run(scenario: Scenario, site: &Site, wish: &Wish) -> Report {
    let mut plan = scenario.plan(site);
    if let Some(only) = &wish.only {
        plan.contestants.retain(|contestant| contestant.name.contains(only));
    }
    let rounds = wish.rounds.unwrap_or(if site.size == Size::Full { 3 } else { 1 });
    let measured = rounds::run(site, &plan.contestants, rounds).await;
    Report::new(scenario, site, rounds, measured, &plan.goals).await
}
