use std::{
    io,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use windows_service::{
    Error,
    service::{Service, ServiceAccess, ServiceExitCode, ServiceState, ServiceStatus},
    service_manager::{ServiceManager, ServiceManagerAccess},
};

use super::{ENTRANCE, Removed, ServiceError, Status, counters, folder::Folder};

/// Between two looks at a service that is on its way.
const LOOK: Duration = Duration::from_millis(200);

/// The codes of the service manager that users can do something about.
mod code {
    pub(super) const INVALID_NAME: i32 = 123;
    pub(super) const ALREADY_RUNNING: i32 = 1056;
    pub(super) const INVALID_ACCOUNT: i32 = 1057;
    pub(super) const DOES_NOT_EXIST: i32 = 1060;
    pub(super) const CANNOT_ACCEPT: i32 = 1061;
    pub(super) const NOT_ACTIVE: i32 = 1062;
    pub(super) const LOGON_FAILED: i32 = 1069;
    pub(super) const MARKED_FOR_DELETE: i32 = 1072;
    pub(super) const EXISTS: i32 = 1073;
    pub(super) const DUPLICATE_NAME: i32 = 1078;
}

/// What the service manager's answer means.
pub(super) fn fault(name: &str, what: &str, error: Error) -> ServiceError {
    let Error::Winapi(error) = error else {
        return ServiceError::Manager { what: format!("cannot {what}"), reason: error.to_string() };
    };
    let name = name.to_owned();
    let account = |reason: &str| ServiceError::Account { account: name.clone(), reason: reason.to_owned() };
    match error.raw_os_error() {
        Some(code::EXISTS | code::DUPLICATE_NAME) => {
            ServiceError::Exists { name, place: "service manager".into() }
        }
        Some(code::MARKED_FOR_DELETE) => {
            let reason =
                "it was removed and is still held open: close the services window, or restart Windows".into();
            ServiceError::Manager { what: format!("the name {name:?} is not free yet"), reason }
        }
        Some(code::DOES_NOT_EXIST | code::INVALID_NAME) => ServiceError::Missing { name },
        Some(code::INVALID_ACCOUNT) => account("there is no such account, or its password is wrong"),
        Some(code::LOGON_FAILED) => account("it may not run services, or its password is wrong"),
        _ => ServiceError::from_io(what, error),
    }
}

fn open(name: &str, access: ServiceAccess) -> Result<Service, ServiceError> {
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT)
        .map_err(|error| fault(name, "open the service manager", error))?;
    let access = access | ServiceAccess::QUERY_CONFIG | ServiceAccess::QUERY_STATUS;
    let service =
        manager.open_service(name, access).map_err(|error| fault(name, "open the service", error))?;
    let config = service.query_config().map_err(|error| fault(name, "read the service's settings", error))?;
    let command = config.executable_path.display().to_string();
    if command.contains(&ENTRANCE.join(" ")) {
        Ok(service)
    } else {
        Err(ServiceError::Foreign { name: name.to_owned(), place: command })
    }
}

/// Returns when its work has begun: only then does it say that it runs.
pub fn start(name: &str, patience: Duration) -> Result<(), ServiceError> {
    let service = open(name, ServiceAccess::START)?;
    match service.start::<&str>(&[]) {
        Err(Error::Winapi(error)) if error.raw_os_error() == Some(code::ALREADY_RUNNING) => {}
        done => done.map_err(|error| fault(name, "start the service", error))?,
    }
    let status = wait(name, &service, patience, |state| state == ServiceState::StartPending)?;
    let how = match (status.current_state, status.exit_code) {
        (ServiceState::Running, _) => return Ok(()),
        (ServiceState::StartPending, _) => {
            format!("does not begin within {}", humantime::format_duration(patience))
        }
        (_, ServiceExitCode::Win32(code)) => {
            format!("ended at once: {}", io::Error::from_raw_os_error(code.cast_signed()))
        }
        (_, ServiceExitCode::ServiceSpecific(code)) => format!("ended at once with code {code}"),
    };
    Err(ended(name, how))
}

/// Returns when it has drained and left.
pub fn stop(name: &str, patience: Duration) -> Result<(), ServiceError> {
    let service = open(name, ServiceAccess::STOP)?;
    halt(name, &service, patience)
}

fn halt(name: &str, service: &Service, patience: Duration) -> Result<(), ServiceError> {
    // Who only starts takes no orders yet.
    wait(name, service, patience, |state| state == ServiceState::StartPending)?;
    match service.stop() {
        Err(Error::Winapi(error)) if error.raw_os_error() == Some(code::NOT_ACTIVE) => return Ok(()),
        // It is on its way out already.
        Err(Error::Winapi(error)) if error.raw_os_error() == Some(code::CANNOT_ACCEPT) => {}
        done => {
            done.map_err(|error| fault(name, "stop the service", error))?;
        }
    }
    let status = wait(name, service, patience, |state| state != ServiceState::Stopped)?;
    if status.current_state == ServiceState::Stopped {
        return Ok(());
    }
    Err(ended(name, format!("did not stop within {}", humantime::format_duration(patience))))
}

fn ended(name: &str, how: String) -> ServiceError {
    let hint = format!("see {} and the event log", Folder::of(name).path().join("logs").display());
    ServiceError::Ended { name: name.to_owned(), how, hint }
}

/// Looks until it has left the state, or patience ends.
fn wait(
    name: &str,
    service: &Service,
    patience: Duration,
    on_its_way: impl Fn(ServiceState) -> bool,
) -> Result<ServiceStatus, ServiceError> {
    let until = Instant::now() + patience;
    loop {
        let status = service.query_status().map_err(|error| fault(name, "look at the service", error))?;
        if !on_its_way(status.current_state) || Instant::now() > until {
            return Ok(status);
        }
        sleep(LOOK);
    }
}

pub fn status(name: &str) -> Result<Status, ServiceError> {
    let service = open(name, ServiceAccess::empty())?;
    let status = service.query_status().map_err(|error| fault(name, "look at the service", error))?;
    let config = service.query_config().map_err(|error| fault(name, "read the service's settings", error))?;
    Ok(Status {
        name: name.to_owned(),
        state: format!("{:?}", status.current_state),
        running: status.current_state == ServiceState::Running,
        pid: status.process_id.filter(|pid| *pid != 0),
        account: config.account_name.map(|account| account.to_string_lossy().into_owned()),
        start: Some(format!("{:?}", config.start_type)),
        command: Some(config.executable_path.display().to_string()),
    })
}

/// Stops and removes it. Its folder stays.
pub fn uninstall(name: &str, _: &Path, patience: Duration) -> Result<Removed, ServiceError> {
    let service = open(name, ServiceAccess::STOP | ServiceAccess::DELETE)?;
    halt(name, &service, patience)?;
    service.delete().map_err(|error| fault(name, "remove the service", error))?;
    // Its absence would be no reason to fail.
    let _ = eventlog::deregister(name);
    let left = |reason| format!("its performance counters stay registered: {reason}");
    let notes = counters::unregister_after(name).err().map(left).into_iter().collect();
    Ok(Removed { path: Folder::of(name).path().to_owned(), notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_service_manager_have_their_codes_and_fixes() {
        const ACCESS_DENIED: i32 = 5;
        for (answer, expected, fix) in [
            (ACCESS_DENIED, "CP-1901", "Run as administrator"),
            (code::EXISTS, "CP-1902", "uninstall"),
            (code::DUPLICATE_NAME, "CP-1902", "--name"),
            (code::DOES_NOT_EXIST, "CP-1903", "install"),
            (code::INVALID_ACCOUNT, "CP-1904", "leave --account out"),
            (code::LOGON_FAILED, "CP-1904", "leave --account out"),
            (code::MARKED_FOR_DELETE, "CP-1906", "restart Windows"),
        ] {
            let error =
                fault("pool", "create the service", Error::Winapi(io::Error::from_raw_os_error(answer)));
            assert_eq!(error.code(), expected, "{answer}: {error}");
            assert!(error.to_string().contains(fix), "{answer}: {error}");
        }
    }
}
