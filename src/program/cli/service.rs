use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio::{runtime::Handle, task::block_in_place};

use super::{
    Cli, Globals, config,
    failure::{Exit, Failure, eprint_line},
    output::fields,
};
use crate::service::{self, Installed, Plan, ServiceError, Status, check_name};
use clawpool_core::config::{Config, Profile};
use clawpool_server::telemetry;

/// Run Clawpool as a service of this machine: systemd on Linux, the service manager on Windows
///
/// The service starts with the machine and again after a crash, runs as an account with no rights but its own
/// folder's, and drains when it is stopped. Changing services needs administrator rights.
#[derive(Debug, Args)]
pub(super) struct Service {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Install a service for one role; it starts with the machine
    Install(Install),
    /// Start it, and wait until it runs
    Start(Named),
    /// Stop it, and wait until it has drained
    Stop(Named),
    /// Its state; exit code 1 when it does not run
    Status(Named),
    /// Stop and remove it; configuration, logs and data stay
    Uninstall(Uninstall),
    /// What the Windows service manager starts
    #[command(hide = true)]
    Run(Run),
}

/// What the service does: a command of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    Up,
    Dispatcher,
    Autoscaler,
    Worker,
}

#[derive(Debug, Args)]
struct Install {
    #[arg(long, value_enum, default_value_t = Role::Up)]
    role: Role,
    /// Its name; clawpool, or clawpool-ROLE, by default
    #[arg(long, value_parser = check_name)]
    name: Option<String>,
    /// Run as this account in place of one of its own. Windows: LocalService, NetworkService, or DOMAIN\user
    /// with its password in CLAWPOOL_SERVICE_PASSWORD
    #[arg(long)]
    account: Option<String>,
    /// Linux: the folder for the unit
    #[arg(long, value_name = "DIR", default_value = "/etc/systemd/system")]
    unit_dir: PathBuf,
    /// Print what would be installed, and install nothing
    #[arg(long)]
    print: bool,
    /// More arguments of the role, after --
    #[arg(last = true)]
    args: Vec<String>,
}

#[derive(Debug, Args)]
struct Named {
    #[arg(long, value_parser = check_name, default_value = "clawpool")]
    name: String,
    /// Give up waiting after this
    #[arg(long, value_parser = humantime::parse_duration, default_value = "2m")]
    timeout: Duration,
}

#[derive(Debug, Args)]
struct Uninstall {
    #[command(flatten)]
    named: Named,
    /// Linux: the folder that the unit is in
    #[arg(long, value_name = "DIR", default_value = "/etc/systemd/system")]
    unit_dir: PathBuf,
}

#[derive(Debug, Args)]
struct Run {
    #[arg(long, value_parser = check_name)]
    name: String,
    #[arg(last = true)]
    command: Vec<String>,
}

impl Service {
    pub(super) fn run(self, globals: &Globals) -> Result<(), Failure> {
        let output = globals.output();
        let done = |name: &str, state: &str| {
            output.show(&serde_json::json!({ "name": name, "state": state }), |_| format!("{name} {state}"))
        };
        match self.action {
            Action::Install(install) => install.run(globals),
            Action::Start(Named { name, timeout }) => {
                service::start(&name, timeout)?;
                done(&name, "runs")
            }
            Action::Stop(Named { name, timeout }) => {
                service::stop(&name, timeout)?;
                done(&name, "stopped")
            }
            Action::Status(Named { name, .. }) => {
                let status = service::status(&name)?;
                output.show(&status, show)?;
                if status.running { Ok(()) } else { Err(Failure::negative()) }
            }
            Action::Uninstall(Uninstall { named: Named { name, timeout }, unit_dir }) => {
                let left = service::uninstall(&name, &unit_dir, timeout)?;
                eprint_line(&format!("what it kept stays in {}", left.path.display()));
                left.notes.iter().for_each(|note| eprint_line(note));
                done(&name, "removed")
            }
            Action::Run(run) => run.run(),
        }
    }
}

fn show(status: &Status) -> String {
    fields([
        ("name", Some(status.name.clone())),
        ("state", Some(status.state.clone())),
        ("process", status.pid.map(|pid| pid.to_string())),
        ("account", status.account.clone()),
        ("start", status.start.clone()),
        ("command", status.command.clone()),
    ])
}

impl Install {
    fn run(self, globals: &Globals) -> Result<(), Failure> {
        let print = self.print;
        let config = config::load(globals)?;
        let plan = self.plan(globals, &config)?;
        if print {
            return globals.output().text(&service::text(&plan));
        }
        let installed = service::install(&plan)?;
        globals.output().show(&installed, |Installed { name, path, account, .. }| {
            fields([
                ("installed", Some(name.clone())),
                ("in", Some(path.display().to_string())),
                ("account", Some(account.clone())),
            ])
        })?;
        installed.notes.iter().for_each(|note| eprint_line(note));
        Ok(())
    }

    fn plan(self, globals: &Globals, config: &Config) -> Result<Plan, Failure> {
        let role =
            self.role.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        let name = self.name.unwrap_or_else(|| match self.role {
            Role::Up => "clawpool".to_owned(),
            _ => format!("clawpool-{role}"),
        });
        let settings = globals.set.iter().flat_map(|set| ["--set".to_owned(), set.clone()]);
        let command: Vec<String> = [role].into_iter().chain(settings).chain(self.args).collect();
        // The service would fail on it later, unseen.
        Cli::try_parse_from([&["clawpool".to_owned()], &*command].concat())
            .map_err(|error| Failure::unread(&error))?;
        Ok(Plan {
            name,
            command,
            program: std::env::current_exe()?,
            config: globals.config.as_ref().map(std::path::absolute).transpose()?,
            data: (config.profile == Profile::Embedded).then(|| config.embedded.data.clone()),
            account: self.account,
            patience: config.worker.grace + config.worker.stop_grace + MARGIN,
            unit_dir: self.unit_dir,
        })
    }
}

/// For what comes after the last task: settling, leaving, the workers' own ends.
const MARGIN: Duration = Duration::from_secs(10);

impl Run {
    fn run(self) -> Result<(), Failure> {
        let name = self.name;
        let mut cli = Cli::try_parse_from(["clawpool".to_owned()].into_iter().chain(self.command))
            .map_err(|error| Failure::unread(&error))?;
        // The service manager's environment may know other folders than the installer's did.
        let folder =
            cli.globals.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(".")).to_owned();
        let runtime = Handle::current();
        let patience =
            config::load(&cli.globals).map(|config| config.worker.grace + config.worker.stop_grace + MARGIN);
        let work = {
            let name = name.clone();
            move || {
                let ended = keep_logs(&name, &mut cli.globals).and_then(|()| runtime.block_on(cli.execute()));
                ended.map_err(|failure| {
                    telemetry::report(&name, &failure.message);
                    failure.exit as u32
                })
            }
        };
        Ok(block_in_place(|| service::enter(&name, &folder, patience.unwrap_or(MARGIN), work))?)
    }
}

/// A service has no terminal: where the configuration names no file, its log goes into its folder.
fn keep_logs(name: &str, globals: &mut Globals) -> Result<(), Failure> {
    let log = config::load(globals)?.log;
    let mut set = |key: &str, value: &str| globals.set.push(format!("{key}={value:?}"));
    if log.file.is_none() {
        set("log.file", &format!("logs/{name}.log"));
        set("log.rotate", "daily");
    }
    if log.event_source.is_none() {
        set("log.event_source", name);
    }
    Ok(())
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::new(Exit::Failed, format_args!("{}: {error}", error.code()))
    }
}
