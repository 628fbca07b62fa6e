//! A unit of systemd.

mod unit;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{Installed, Plan, Removed, ServiceError, Status};

/// Where an administrator's units go.
const UNITS: &str = "/etc/systemd/system";

/// The unit, without installing it.
pub fn text(plan: &Plan) -> String {
    unit::text(plan)
}

pub fn install(plan: &Plan) -> Result<Installed, ServiceError> {
    plan.check_program(&["/home", "/root", "/run/user"].map(PathBuf::from), "/usr/local/bin")?;
    if let Some(account) = &plan.account {
        check_account(account)?;
    }
    let path = unit_file(&plan.unit_dir, &plan.name);
    write(&path, plan)?;
    let mut notes = Vec::new();
    if plan.unit_dir != Path::new(UNITS) {
        notes.push(format!("systemd does not look there by itself: systemctl link {}", path.display()));
    } else if booted() {
        announce(&plan.name).inspect_err(|_| drop(fs::remove_file(&path)))?;
        notes.push(format!("start it with: clawpool service start --name {}", plan.name));
    } else {
        notes.push(format!("systemd does not run here; where it does: systemctl enable --now {}", plan.name));
    }
    Ok(Installed { name: plan.name.clone(), path, account: unit::account(plan), notes })
}

fn unit_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.service"))
}

/// Whole or not at all.
fn write(path: &Path, plan: &Plan) -> Result<(), ServiceError> {
    let fault = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            ServiceError::Exists { name: plan.name.clone(), place: path.display().to_string() }
        }
        _ => ServiceError::from_io(format!("write {}", path.display()), error),
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(fault)?;
    file.write_all(text(plan).as_bytes()).map_err(|error| {
        let _ = fs::remove_file(path);
        fault(error)
    })
}

fn announce(name: &str) -> Result<(), ServiceError> {
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", name]).map(drop)
}

fn check_account(account: &str) -> Result<(), ServiceError> {
    let refuse = |reason: String| ServiceError::Account { account: account.to_owned(), reason };
    let known =
        Command::new("id").args(["-u", "--", account]).output().map_err(|error| refuse(error.to_string()))?;
    if known.status.success() { Ok(()) } else { Err(refuse("there is no such user".to_owned())) }
}

/// Stops and removes it. Its data stay, and where they are is returned.
pub fn uninstall(name: &str, unit_dir: &Path, _: Duration) -> Result<Removed, ServiceError> {
    let path = unit_file(unit_dir, name);
    let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ServiceError::Missing { name: name.to_owned() },
        _ => ServiceError::from_io(format!("read {}", path.display()), error),
    })?;
    if !text.starts_with(unit::MARK) {
        return Err(ServiceError::Foreign { name: name.to_owned(), place: path.display().to_string() });
    }
    let managed = unit_dir == Path::new(UNITS) && booted();
    if managed {
        systemctl(&["disable", "--now", name])?;
    }
    fs::remove_file(&path)
        .map_err(|error| ServiceError::from_io(format!("remove {}", path.display()), error))?;
    if managed {
        systemctl(&["daemon-reload"])?;
    }
    Ok(Removed { path: PathBuf::from("/var/lib").join(name), notes: Vec::new() })
}

/// systemd itself waits, for as long as the unit says.
pub fn start(name: &str, _: Duration) -> Result<(), ServiceError> {
    status(name)?;
    systemctl(&["start", name]).map(drop)
}

pub fn stop(name: &str, _: Duration) -> Result<(), ServiceError> {
    status(name)?;
    systemctl(&["stop", name]).map(drop)
}

pub fn status(name: &str) -> Result<Status, ServiceError> {
    let text =
        systemctl(&["show", name, "--property=LoadState,ActiveState,SubState,MainPID,User,UnitFileState"])?;
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    if value("LoadState").as_deref() == Some("not-found") {
        return Err(ServiceError::Missing { name: name.to_owned() });
    }
    let active = value("ActiveState").unwrap_or_default();
    let sub = value("SubState").unwrap_or_default();
    Ok(Status {
        name: name.to_owned(),
        running: active == "active",
        state: format!("{active} ({sub})"),
        pid: value("MainPID").and_then(|pid| pid.parse().ok()).filter(|pid| *pid != 0),
        account: value("User"),
        start: value("UnitFileState"),
        command: None,
    })
}

/// Windows alone starts services through an entrance of its own; systemd runs the command as it is.
pub fn enter(
    name: &str,
    _: &Path,
    _: Duration,
    _: impl FnOnce() -> Result<(), u32> + Send + 'static,
) -> Result<(), ServiceError> {
    let reason = "only the Windows service manager calls this; systemd runs the command itself".to_owned();
    Err(ServiceError::Manager { what: format!("cannot enter the service {name:?}"), reason })
}

fn booted() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn systemctl(args: &[&str]) -> Result<String, ServiceError> {
    let what = format!("systemctl {}", args.join(" "));
    let output = Command::new("systemctl").arg("--no-pager").args(args).output();
    let output = output.map_err(|error| ServiceError::from_io(format!("run {what}"), error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if reason.contains("Access denied") || reason.contains("authentication required") {
        return Err(ServiceError::NoRights {
            what,
            error: io::Error::new(io::ErrorKind::PermissionDenied, reason),
        });
    }
    Err(ServiceError::Manager { what, reason })
}
