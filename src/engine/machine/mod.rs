//! What the machine of this process is doing: processors, memory, disks, network.
//!
//! Guarantees: nobody waits for a reading; a disk that hangs keeps one thread, and the last figures stay.
//! Never does: read more often than every few seconds.

#[cfg(target_os = "linux")]
mod linux;
mod reader;
mod watch;

use std::path::PathBuf;

pub use reader::Reader;
pub use watch::MachineWatch;

use clawpool_core::config::{Config, Profile};

/// Where this configuration's program keeps what it keeps.
pub fn data_folder(config: &Config) -> PathBuf {
    match config.profile {
        Profile::Embedded => config.embedded.data.clone(),
        Profile::Cluster => PathBuf::from("."),
    }
}
