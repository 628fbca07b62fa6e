use clap::{Args, Subcommand};

use super::{
    Globals,
    failure::{Failure, eprint_line},
    reload,
};
use clawpool_core::config;

/// Check the configuration, or print it
///
/// Takes --config, --set and the environment into account, as every other command does.
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Report every mistake at once; exit code 78 when there is one
    Check,
    /// Print the whole configuration as it holds, secrets hidden
    Dump,
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
    /// Have a running dispatcher, or `up`, read its configuration again; what needs a restart is named
    ///
    /// A configuration with a mistake changes nothing, and all its mistakes are told (exit code 78). Logs are
    /// opened anew. Running workers keep what they started with.
    Reload {
        /// Afterwards drain every worker, one after the other, so that each pool gets new ones
        #[arg(long)]
        replace_workers: bool,
    },
}

impl Config {
    pub(super) async fn run(&self, globals: &Globals) -> Result<(), Failure> {
        let output = globals.output();
        match self.action {
            Action::Schema => output.json(&config::Config::schema()),
            Action::Dump => output.show(&load(globals)?, config::Config::to_toml),
            Action::Check => check(&load(globals)?, globals),
            Action::Reload { replace_workers } => reload::run(globals, replace_workers).await,
        }
    }
}

fn check(config: &config::Config, globals: &Globals) -> Result<(), Failure> {
    let rules = config.table();
    let warnings = config.advice();
    if !globals.json {
        warnings.iter().for_each(|advice| eprint_line(&format!("warning: {}: {}", advice.key, advice.text)));
    }
    let answer = serde_json::json!({ "valid": true, "rules": rules, "warnings": warnings });
    globals.output().show(&answer, |_| format!("the configuration is valid\n{rules}"))
}

/// The configuration that a command runs with, or every mistake in it.
pub(crate) fn load(globals: &Globals) -> Result<config::Config, Failure> {
    config::Config::load(globals.config.as_deref(), &globals.set).map_err(Failure::configuration)
}
