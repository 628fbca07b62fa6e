//! What the machine of this process has left.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::timeout;

use clawpool_core::{config::Config, figures};
use clawpool_engine::machine::{Reader, data_folder};

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

impl MachineMeter {
    pub(super) fn new(config: &Config) -> Self {
        Self { reader: Arc::new(Mutex::new(Reader::new(data_folder(config)))) }
    }

    pub(super) async fn read(&self, patience: Duration) -> Machine {
        let reader = Arc::clone(&self.reader);
        // Nothing, while an earlier reading hangs.
        let read = move || reader.try_lock().map(|mut reader| reader.read().into()).unwrap_or_default();
        let read = timeout(patience, tokio::task::spawn_blocking(read)).await;
        read.ok().and_then(Result::ok).unwrap_or_default()
    }
}

impl From<figures::Machine> for Machine {
    #[allow(clippy::cast_precision_loss)]
    fn from(machine: figures::Machine) -> Self {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64 * 100.0);
        Self {
            cpu: machine.cpu_ratio.map(|ratio| ratio * 100.0),
            memory: share(machine.memory_used_bytes, machine.memory_bytes),
            disk: machine.disk.and_then(|disk| share(disk.used_bytes, disk.bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_core::config::Profile;

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
