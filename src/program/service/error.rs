use std::{io, path::PathBuf};

#[cfg(unix)]
const ELEVATED: &str = "run it as root: sudo clawpool service …";
#[cfg(windows)]
const ELEVATED: &str = "run it in a terminal that was opened with \"Run as administrator\"";

#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("no right to {what} ({error}): {ELEVATED}")]
    NoRights { what: String, error: io::Error },
    #[error(
        "a service {name:?} is installed already ({place}): choose another --name, or remove it with \
         `clawpool service uninstall --name {name}`"
    )]
    Exists { name: String, place: String },
    #[error("there is no service {name:?}: install it with `clawpool service install --name {name}`")]
    Missing { name: String },
    #[error("account {account:?}: {reason}; leave --account out for an account of the service's own")]
    Account { account: String, reason: String },
    #[error("the service {name:?} is not Clawpool's ({place}): choose another --name")]
    Foreign { name: String, place: String },
    #[error("{what}: {reason}")]
    Manager { what: String, reason: String },
    #[error("{} is below {}, where a service cannot read: copy it to {better} and install it from there",
        program.display(), home.display())]
    Unreachable { program: PathBuf, home: PathBuf, better: &'static str },
    #[error("the service {name:?} {how}: {hint}")]
    Ended { name: String, how: String, hint: String },
}

impl ServiceError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoRights { .. } => "CP-1901",
            Self::Exists { .. } => "CP-1902",
            Self::Missing { .. } => "CP-1903",
            Self::Account { .. } => "CP-1904",
            Self::Foreign { .. } => "CP-1905",
            Self::Manager { .. } => "CP-1906",
            Self::Unreachable { .. } => "CP-1907",
            Self::Ended { .. } => "CP-1908",
        }
    }

    /// An operation of the file system or the service manager that failed.
    pub(super) fn from_io(what: impl Into<String>, error: io::Error) -> Self {
        let what = what.into();
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::NoRights { what, error },
            _ => Self::Manager { what: format!("cannot {what}"), reason: error.to_string() },
        }
    }
}
