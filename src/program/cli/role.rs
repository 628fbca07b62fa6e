//! What the long-running commands share: the configuration with its log, and the program that their pools
//! run.

use std::fmt::Display;

use super::{
    Globals, config,
    failure::{Exit, Failure},
};
use clawpool_core::config::{Config, as_variable};
use clawpool_server::{app::WorkerProgram, telemetry};

/// Loads the configuration and starts the log.
pub(super) fn configure(globals: &Globals) -> Result<Config, Failure> {
    let config = config::load(globals)?;
    telemetry::start_logs(&config.log).map_err(unfit)?;
    Ok(config)
}

/// For mistakes that only show when the configuration is put to use.
pub(super) fn unfit(error: impl Display) -> Failure {
    Failure::new(Exit::Configuration, error)
}

/// This program as a worker. It reads the same configuration file; what this process changed reaches it
/// through its environment.
pub(super) fn worker_program(globals: &Globals) -> Result<WorkerProgram, Failure> {
    let changes = globals.set.iter().filter_map(|change| as_variable(change));
    let mut env: Vec<_> = changes.map(|(name, value)| (name.into(), value.into())).collect();
    if let Some(file) = &globals.config {
        env.push(("CLAWPOOL_CONFIG".into(), file.into()));
    }
    Ok(WorkerProgram { program: std::env::current_exe()?, args: vec!["worker".into()], env })
}
