//! What the machine of this process has left.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use sysinfo::{DiskRefreshKind, Disks, System};
use tokio::time::timeout;

use clawpool_core::config::{Config, Profile};

/// In per cent; absent where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Machine {
    /// Of all processors, since the reading before.
    pub cpu: Option<f64>,
    pub memory: Option<f64>,
    /// Of the disk with `embedded.data`, or with this process's folder where there is no such file.
    pub disk: Option<f64>,
}

/// Reads beside the runtime: a disk that hangs keeps one thread, and no answer.
pub(super) struct MachineMeter {
    reader: Arc<Mutex<Reader>>,
}

struct Reader {
    system: Option<System>,
    disks: Option<Disks>,
    folder: PathBuf,
    /// Processor time is known from the second reading on.
    has_read: bool,
}

impl MachineMeter {
    pub(super) fn new(config: &Config) -> Self {
        let folder = match config.profile {
            Profile::Embedded => config.embedded.data.clone(),
            Profile::Cluster => PathBuf::from("."),
        };
        let reader = Reader { system: System::new().ok(), disks: None, folder, has_read: false };
        Self { reader: Arc::new(Mutex::new(reader)) }
    }

    pub(super) async fn read(&self, patience: Duration) -> Machine {
        let reader = Arc::clone(&self.reader);
        // Nothing, while an earlier reading hangs.
        let read = move || reader.try_lock().map(|mut reader| reader.read()).unwrap_or_default();
        let read = timeout(patience, tokio::task::spawn_blocking(read)).await;
        read.ok().and_then(Result::ok).unwrap_or_default()
    }
}

impl Reader {
    #[allow(clippy::cast_precision_loss)]
    fn read(&mut self) -> Machine {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64 * 100.0);
        let disk = self.disk().and_then(|(free, whole)| share(whole.saturating_sub(free), whole));
        let Some(system) = &mut self.system else { return Machine { disk, ..Machine::default() } };
        system.refresh_cpu_usage();
        system.refresh_memory();
        let cpu = self.has_read.then(|| f64::from(system.global_cpu_usage()));
        self.has_read = true;
        Machine { cpu, memory: share(system.used_memory(), system.total_memory()), disk }
    }

    /// Free and all bytes of the disk that the folder is on: the one whose place is nearest to it.
    fn disk(&mut self) -> Option<(u64, u64)> {
        let kind = DiskRefreshKind::nothing().with_storage();
        match &mut self.disks {
            Some(disks) => disks.refresh_specifics(true, kind),
            None => self.disks = Disks::new_with_refreshed_list_specifics(kind).ok(),
        }
        let folder = self.folder.canonicalize().ok()?;
        let depth = |place: &Path| place.components().count();
        let on = self.disks.iter().flat_map(|disks| disks.iter());
        let on = on.filter(|disk| folder.starts_with(disk.mount_point()));
        let nearest = on.max_by_key(|disk| depth(disk.mount_point()))?;
        Some((nearest.available_space(), nearest.total_space()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_machine_is_read_in_per_cent() {
        let meter = MachineMeter::new(&Config { profile: Profile::Cluster, ..Config::default() });
        let patience = Duration::from_secs(60);
        assert_eq!(meter.read(patience).await.cpu, None, "nothing to compare with");
        let machine = meter.read(patience).await;
        for value in [machine.cpu, machine.memory].map(Option::unwrap) {
            assert!((0.0..=100.0).contains(&value), "{machine:?}");
        }
        assert!(machine.memory.unwrap() > 0.0, "{machine:?}");
        assert!(machine.disk.is_none_or(|disk| (0.0..=100.0).contains(&disk)), "{machine:?}");
    }
}
