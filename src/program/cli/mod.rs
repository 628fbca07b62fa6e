//! The operator's commands, one file each.
//!
//! Guarantees: data goes to standard output (a table, or JSON with `--json`), everything else to standard
//! error; the exit code says what happened; a closed pipe ends a command in silence. Never does: work on the
//! pool behind the server's back. Commands ask it over HTTP; only `health --here` and `doctor` ask the store,
//! and `simulate`, `config`, `service`, `init`, `explain`, `openapi` and `completions` do without either.

mod alerts;
mod audit;
mod autoscaler;
mod completions;
mod config;
mod dead;
mod dead_change;
mod demo;
mod dispatcher;
mod doctor;
mod enqueue;
mod enqueue_file;
mod events;
mod explain;
pub mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod health;
mod hosts;
mod init;
mod jsonl;
mod logs;
mod man;
mod openapi;
pub mod output;
mod progress;
mod queues;
mod reload;
mod role;
mod select;
mod service;
mod simulate;
mod sla;
mod task_change;
mod task_counts;
mod task_priority;
mod tasks;
mod tokens;
mod top;
mod up;
mod wait;
mod worker;
mod workers;

#[cfg(test)]
mod tests;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use secrecy::SecretString;

use self::{failure::Failure, output::Output};
use clawpool_engine::client::Client;

/// A worker pool driven by message queues.
#[derive(Debug, Parser)]
#[command(name = "clawpool", version, max_term_width = 100, after_help = failure::EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// The configuration file; without it the built-in defaults and the environment hold
    #[arg(long, global = true, value_name = "FILE", env = "CLAWPOOL_CONFIG")]
    pub config: Option<PathBuf>,
    /// Change one setting: --set worker.slots=20
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where the dispatcher answers
    #[arg(long, global = true, env = "CLAWPOOL_URL", default_value = "http://127.0.0.1:7070")]
    pub url: String,
    /// For https: trust what these authorities (PEM) have signed, and nothing else
    #[arg(long, global = true, value_name = "FILE", env = "CLAWPOOL_CA")]
    pub ca: Option<PathBuf>,
    /// Who is asking, where the dispatcher wants to know
    #[arg(long, global = true, env = "CLAWPOOL_TOKEN", hide_env_values = true)]
    pub token: Option<SecretString>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// One line and one file a command.
#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Up(up::Up),
    Dispatcher(dispatcher::Dispatcher),
    Worker(worker::Worker),
    Autoscaler(autoscaler::Autoscaler),
    Enqueue(enqueue::Enqueue),
    Tasks(tasks::Tasks),
    Logs(logs::Logs),
    Queues(queues::Queues),
    Dead(dead::Dead),
    Workers(workers::Workers),
    Hosts(hosts::Hosts),
    Alerts(alerts::Alerts),
    Events(events::Events),
    Sla(sla::Sla),
    Top(top::Top),
    Tokens(tokens::Tokens),
    Audit(audit::Audit),
    Simulate(simulate::Simulate),
    Init(init::Init),
    Config(config::Config),
    Doctor(doctor::Doctor),
    Service(service::Service),
    Explain(explain::Explain),
    Health(health::Health),
    Openapi(openapi::Openapi),
    Completions(completions::Completions),
    #[command(hide = true)]
    Man(man::Man),
    #[command(hide = true)]
    DemoWorker(demo::DemoWorker),
    #[command(hide = true)]
    DemoTool(demo::DemoTool),
}

impl Cli {
    pub async fn run(self) -> ExitCode {
        let json = self.globals.json;
        self.execute().await.map_or_else(|failure| failure.report(json), |()| ExitCode::SUCCESS)
    }

    async fn execute(self) -> Result<(), Failure> {
        let Self { globals, command } = self;
        match command {
            Command::Demo(command) => command.run(&globals).await,
            Command::Up(command) => command.run(&globals).await,
            Command::Dispatcher(command) => command.run(&globals).await,
            Command::Worker(command) => command.run(&globals).await,
            Command::Autoscaler(command) => command.run(&globals).await,
            Command::DemoWorker(command) => command.run(&globals).await,
            Command::DemoTool(command) => command.run(),
            Command::Enqueue(command) => command.run(&globals).await,
            Command::Tasks(command) => command.run(&globals).await,
            Command::Logs(command) => command.run(&globals).await,
            Command::Queues(command) => command.run(&globals).await,
            Command::Dead(command) => command.run(&globals).await,
            Command::Workers(command) => command.run(&globals).await,
            Command::Hosts(command) => command.run(&globals).await,
            Command::Alerts(command) => command.run(&globals).await,
            Command::Events(command) => command.run(&globals).await,
            Command::Sla(command) => command.run(&globals).await,
            Command::Top(command) => command.run(&globals).await,
            Command::Tokens(command) => command.run(&globals).await,
            Command::Audit(command) => command.run(&globals).await,
            Command::Simulate(command) => command.run(&globals),
            Command::Init(command) => command.run(&globals),
            Command::Config(command) => command.run(&globals).await,
            Command::Doctor(command) => command.run(&globals).await,
            Command::Service(command) => command.run(&globals),
            Command::Explain(command) => command.run(&globals),
            Command::Health(command) => command.run(&globals).await,
            Command::Openapi(command) => command.run(&globals),
            Command::Completions(command) => command.run(&globals),
            Command::Man(command) => command.run(),
        }
    }
}

/// The worker program, without the operator's commands.
#[derive(Debug, Parser)]
#[command(name = "clawpool-worker", version, max_term_width = 100, after_help = failure::EXIT_CODES)]
pub struct WorkerProgram {
    #[command(flatten)]
    globals: Globals,
    #[command(flatten)]
    worker: worker::Worker,
}

impl WorkerProgram {
    pub async fn run(self) -> ExitCode {
        let ended = self.worker.run(&self.globals).await;
        ended.map_or_else(|failure| failure.report(self.globals.json), |()| ExitCode::SUCCESS)
    }
}

impl Globals {
    /// These options, and settings that a command's own options change.
    pub(crate) fn with<const N: usize>(&self, settings: [(&str, Option<String>); N]) -> Self {
        let changes = settings.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", value?)));
        Self { set: self.set.iter().cloned().chain(changes).collect(), ..self.clone() }
    }

    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let Some(file) = &self.ca else { return Ok(Client::new(&self.url, self.token.clone())?) };
        let authorities = std::fs::read(file)
            .map_err(|error| Failure::usage(format_args!("--ca {}: {error}", file.display())))?;
        Ok(Client::trusting(&authorities, &self.url, self.token.clone())?)
    }

    pub(crate) fn output(&self) -> Output {
        Output::new(self.json)
    }
}
