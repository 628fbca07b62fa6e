//! Clawpool as a service of the operating system: systemd on Linux, the service control manager on Windows.
//!
//! Guarantees: a service runs with the least rights that serve, starts with the machine and again after a
//! crash, and drains when it is told to stop; what cannot be installed as a whole is not installed at all.
//! Never does: touch a service that is not Clawpool's, or remove data.

mod error;
mod plan;
#[cfg(unix)]
mod systemd;
#[cfg(windows)]
mod windows;

pub use error::ServiceError;
pub use plan::{Installed, Plan, Removed, Status, check_name};
#[cfg(unix)]
use systemd as platform;
#[cfg(windows)]
use windows as platform;

pub use platform::{enter, install, start, status, stop, text, uninstall};
