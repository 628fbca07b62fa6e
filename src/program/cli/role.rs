//! What the long-running commands share: the configuration with its log, and the program that their pools
//! run.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
};

use tokio_util::sync::CancellationToken;

use super::{
    Globals,
    failure::{Exit, Failure},
};
use clawpool_core::config::{Config, ConfigErrors, Part, as_variable};
use clawpool_server::{app::WorkerProgram, reload::Reloader, telemetry};

/// Loads the configuration, starts the log, and reads the configuration again when this process is asked to.
/// `adjust` is what the command makes of each.
pub(super) fn configure(
    globals: &Globals,
    parts: &[Part],
    adjust: impl Fn(&mut Config) + Send + Sync + 'static,
) -> Result<Arc<Reloader>, Failure> {
    let (file, set) = (globals.config.clone(), globals.set.clone());
    let origins = Arc::new(Mutex::default());
    let told = Arc::clone(&origins);
    let load = move || -> Result<Config, ConfigErrors> {
        let loaded = Config::load_with_files(file.as_deref(), &set);
        let config = loaded.config?;
        *told.lock().unwrap_or_else(PoisonError::into_inner) = loaded.origins;
        Ok(config)
    };
    let mut config = load().map_err(Failure::configuration)?;
    telemetry::start_logs(&config.log).map_err(unfit)?;
    adjust(&mut config);
    let read = move || {
        let mut config = load()?;
        adjust(&mut config);
        Ok(config)
    };
    let reloader = Reloader::new(config, parts, globals.config.as_deref(), origins, read);
    let serving = Arc::clone(&reloader);
    // As long as the process lives.
    tokio::spawn(async move { serving.serve(&CancellationToken::new()).await });
    Ok(reloader)
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
