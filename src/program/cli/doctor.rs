use std::time::Duration;

use clap::Args;

use super::{
    Globals,
    failure::{Exit, Failure},
    output::plain,
};
use crate::doctor::{self, Line, Report, Site};
use clawpool_core::config::Config;

/// Look for what is wrong: configuration, servers, machine, queues, workers; and say what to do
///
/// Changes nothing, and works while servers are down. Exit code 1 when something is wrong, 78 when it is the
/// configuration; warnings count with --strict.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Warnings are wrong too
    #[arg(long)]
    strict: bool,
    /// For each check; all run side by side
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

impl Doctor {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let loaded = Config::load_with_files(globals.config.as_deref(), &globals.set);
        let is_valid = loaded.config.is_ok();
        let url = plain(&globals.url, 200);
        let patience = self.timeout / 2;
        let site = Site::new(loaded, globals.config.clone(), globals.client()?, url, patience);
        let report = doctor::examine(&site, self.timeout).await;
        globals.output().show(&report, text)?;
        let is_well = report.errors == 0 && (report.warnings == 0 || !self.strict);
        let ended = match (is_valid, is_well) {
            (false, _) => Err(Failure::new(Exit::Configuration, "")),
            (true, true) => Ok(()),
            (true, false) => Err(Failure::negative()),
        };
        if report.gave_up {
            // What it waits for keeps its thread, and a runtime waits for its threads.
            std::process::exit(ended.err().map_or(0, |failure| failure.exit as i32));
        }
        ended
    }
}

fn text(report: &Report) -> String {
    let width = report.findings.iter().map(|line| line.check.len()).max().unwrap_or_default();
    let mut text: String = report.findings.iter().map(|line| lines(line, width)).collect();
    text.push_str(&match (report.errors, report.warnings) {
        (0, 0) => "nothing is wrong".to_owned(),
        (errors, warnings) => format!("{errors} errors, {warnings} warnings"),
    });
    text
}

fn lines(line: &Line, width: usize) -> String {
    let Line { check, status, .. } = line;
    let code = line.code.map(|code| format!(" ({code})")).unwrap_or_default();
    let mut text = format!("{:<7}  {check:<width$}  {}{code}\n", status.name(), plain(&line.text, 600));
    if let Some(fix) = &line.fix {
        text.push_str(&format!("{:<7}  {:<width$}  → {}\n", "", "", plain(fix, 600)));
    }
    text
}
