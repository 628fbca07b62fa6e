//! A service of the Windows service manager.
//!
//! Its folder is `%ProgramData%\Clawpool\NAME`: the configuration, which the service may read and only
//! administrators may change, and beside it logs and data, which it may write.

mod control;
mod counters;
mod entry;
mod folder;
mod said;

use std::{ffi::OsString, path::Path, time::Duration};

use windows_service::{
    Error,
    service::{
        Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceFailureActions,
        ServiceFailureResetPeriod, ServiceInfo, ServiceSidType, ServiceStartType, ServiceType,
    },
    service_manager::{ServiceManager, ServiceManagerAccess},
};

use self::{control::fault, folder::Folder};
pub use self::{
    control::{start, status, stop, uninstall},
    entry::enter,
};
use super::{Installed, Plan, Removed, ServiceError, Status};

/// What the service manager starts has this in its command line.
const ENTRANCE: [&str; 3] = ["service", "run", "--name"];

/// Waits before the first, the second and every later restart; a day without a crash starts over.
const RESTARTS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(10)];
const RESET: Duration = Duration::from_secs(24 * 60 * 60);

const ERROR_INVALID_LEVEL: i32 = 124;

/// The command line, without installing it.
pub fn text(plan: &Plan) -> String {
    let config = Folder::of(&plan.name).config();
    let words = arguments(plan, &config).into_iter().map(|word| word.to_string_lossy().into_owned());
    format!("\"{}\" {}\n", plan.program.display(), words.collect::<Vec<_>>().join(" "))
}

pub fn install(plan: &Plan) -> Result<Installed, ServiceError> {
    let homes = std::env::var_os("PUBLIC").and_then(|public| Path::new(&public).parent().map(Path::to_owned));
    plan.check_program(homes.as_slice(), "a folder below Program Files")?;
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let manager = ServiceManager::local_computer(None::<&str>, access)
        .map_err(|error| fault(&plan.name, "open the service manager", error))?;
    let folder = Folder::of(&plan.name);
    let fresh = !folder.exists();
    let info = info(plan, &folder);
    let access = ServiceAccess::CHANGE_CONFIG | ServiceAccess::START | ServiceAccess::DELETE;
    let service = manager
        .create_service(&info, access)
        .map_err(|error| fault(&plan.name, "create the service", error))?;
    let finished = configure(&service, plan).and_then(|notes| {
        folder.prepare(plan)?;
        register_source(&plan.name)?;
        Ok(notes)
    });
    let mut notes = finished.inspect_err(|_| {
        let _ = service.delete();
        if fresh {
            folder.remove();
        }
        let _ = eventlog::deregister(&plan.name);
    })?;
    if let Err(reason) = counters::register(&plan.program) {
        notes.push(format!("Windows has no performance counters of it: {reason}"));
    }
    notes.push(format!("start it with: clawpool service start --name {}", plan.name));
    let account =
        info.account_name.map_or_else(|| "LocalSystem".into(), |name| name.to_string_lossy().into_owned());
    Ok(Installed { name: plan.name.clone(), path: folder.path().to_owned(), account, notes })
}

fn info(plan: &Plan, folder: &Folder) -> ServiceInfo {
    ServiceInfo {
        name: (&plan.name).into(),
        display_name: format!("Clawpool ({})", plan.name).into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        // Quoted by the library where it has spaces.
        executable_path: plan.program.clone(),
        launch_arguments: arguments(plan, &folder.config()),
        dependencies: Vec::new(),
        account_name: account(plan),
        account_password: std::env::var_os("CLAWPOOL_SERVICE_PASSWORD"),
    }
}

fn arguments(plan: &Plan, config: &Path) -> Vec<OsString> {
    let entrance = ENTRANCE.iter().map(OsString::from);
    let command = plan.command.iter().map(OsString::from);
    entrance
        .chain([(&plan.name).into(), "--".into(), "--config".into(), config.into()])
        .chain(command)
        .collect()
}

/// A virtual account needs no password, exists as long as the service, and has no rights but those it is
/// given here.
fn account(plan: &Plan) -> Option<OsString> {
    let name = match plan.account.as_deref() {
        None => format!("NT SERVICE\\{}", plan.name),
        Some("LocalSystem") => return None,
        Some(name @ ("LocalService" | "NetworkService")) => format!("NT AUTHORITY\\{name}"),
        Some(name) => name.to_owned(),
    };
    Some(name.into())
}

/// Returns what this system does not know, so that the user can judge.
fn configure(service: &Service, plan: &Plan) -> Result<Vec<String>, ServiceError> {
    let restarts = RESTARTS.map(|delay| ServiceAction { action_type: ServiceActionType::Restart, delay });
    let failure = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(RESET),
        reboot_msg: None,
        command: None,
        actions: Some(restarts.to_vec()),
    };
    let steps: [(&str, windows_service::Result<()>); 5] = [
        ("description", service.set_description("Worker pool driven by message queues")),
        ("restarts after 1 s, 5 s and 10 s", service.update_failure_actions(failure)),
        ("restarts after an error", service.set_failure_actions_on_non_crash_failures(true)),
        ("an identity of its own", service.set_config_service_sid_info(ServiceSidType::Unrestricted)),
        ("time to finish at shutdown", service.set_preshutdown_timeout(plan.patience)),
    ];
    let mut notes = Vec::new();
    for (what, done) in steps {
        match done {
            Ok(()) => {}
            Err(Error::Winapi(error)) if error.raw_os_error() == Some(ERROR_INVALID_LEVEL) => {
                notes.push(format!("this Windows does not know: {what}"));
            }
            Err(error) => return Err(fault(&plan.name, &format!("set up {what}"), error)),
        }
    }
    Ok(notes)
}

/// So that the event viewer shows the service's errors under its name.
fn register_source(name: &str) -> Result<(), ServiceError> {
    let what = "cannot register the event source".to_owned();
    eventlog::register(name).map_err(|error| ServiceError::Manager { what, reason: error.to_string() })
}
