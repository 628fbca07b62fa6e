use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use clap::Args;
use futures::FutureExt;

use super::{
    Globals,
    failure::{Exit, Failure},
    output::plain,
};
use crate::doctor::{self, Line, Report, Site};
use clawpool_core::config::Config;
use clawpool_engine::client::{
    Client, ClientError,
    doctor::{DoctorView, FindingView},
};
use clawpool_server::api::Examine;

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

/// For a dispatcher that is asked for it over HTTP.
pub(super) fn examiner(globals: &Globals) -> Examine {
    let (file, set) = (globals.config.clone(), globals.set.clone());
    Arc::new(move |token| {
        let (file, set) = (file.clone(), set.clone());
        async move {
            let loaded = Config::load_with_files(file.as_deref(), &set);
            let url = own_url(loaded.config.as_ref().ok());
            match Client::new(&url, token) {
                Ok(client) => {
                    let site = Site::new(loaded, file, client, url, LIMIT / 2);
                    view(doctor::examine(&site, LIMIT).await)
                }
                Err(error) => unasked(&error),
            }
        }
        .boxed()
    })
}

/// For each check.
const LIMIT: Duration = Duration::from_secs(10);

/// Where the dispatcher of this configuration answers on this machine.
fn own_url(config: Option<&Config>) -> String {
    let api = config.map(|config| config.api.clone()).unwrap_or_default();
    let mut address = api.listen;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    format!("{}://{address}", if api.tls.is_some() { "https" } else { "http" })
}

fn view(report: Report) -> DoctorView {
    let Report { status, errors, warnings, findings, .. } = report;
    let finding = |line: Line| FindingView {
        check: line.check.to_owned(),
        status: line.status.name().to_owned(),
        text: line.text,
        fix: line.fix,
        code: line.code.map(str::to_owned),
    };
    let findings = findings.into_iter().map(finding).collect();
    DoctorView { status: status.name().to_owned(), errors, warnings, findings }
}

/// There is not even a client to ask with.
fn unasked(error: &ClientError) -> DoctorView {
    let finding = FindingView {
        check: "dispatcher".to_owned(),
        status: "error".to_owned(),
        text: error.to_string(),
        fix: None,
        code: None,
    };
    DoctorView { status: "error".to_owned(), errors: 1, warnings: 0, findings: vec![finding] }
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
