use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use sysinfo::{DiskRefreshKind, Disks, Networks, System};

use clawpool_core::figures::{Disk, Machine, Network};

/// Reads, and remembers what rates are made of.
pub struct Reader {
    folder: PathBuf,
    system: Option<System>,
    disks: Option<Disks>,
    networks: Option<Networks>,
    #[cfg(target_os = "linux")]
    counters: super::linux::Counters,
    /// Of the reading before.
    last: Option<Instant>,
}

impl Reader {
    /// `folder`: the disk that it is on is the one whose space counts.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            system: System::new().ok(),
            disks: None,
            networks: None,
            #[cfg(target_os = "linux")]
            counters: Default::default(),
            last: None,
        }
    }

    /// Rates are since the reading before: the first one has none.
    pub fn read(&mut self) -> Machine {
        let now = Instant::now();
        let seconds = self.last.replace(now).map(|last| now.duration_since(last).as_secs_f64());
        let machine = Machine {
            disk: self.disk(seconds),
            network: self.network(seconds),
            ..self.processors(seconds.is_some())
        };
        self.counted(machine, seconds)
    }

    /// What only this system counts is added.
    #[cfg(target_os = "linux")]
    fn counted(&mut self, mut machine: Machine, seconds: Option<f64>) -> Machine {
        self.counters.add_to(&mut machine, seconds);
        machine
    }

    #[cfg(not(target_os = "linux"))]
    const fn counted(&self, machine: Machine, _: Option<f64>) -> Machine {
        machine
    }

    fn processors(&mut self, has_read: bool) -> Machine {
        let Some(system) = &mut self.system else { return Machine::default() };
        system.refresh_cpu_usage();
        system.refresh_memory();
        let load = System::load_average().ok().map(|load| [load.one, load.five, load.fifteen]);
        Machine {
            cpus: u32::try_from(system.cpus().len()).unwrap_or(u32::MAX),
            cpu_ratio: has_read.then(|| f64::from(system.global_cpu_usage()) / 100.0),
            load: load.filter(|_| !cfg!(windows)),
            memory_used_bytes: system.used_memory(),
            memory_bytes: system.total_memory(),
            swap_used_bytes: system.used_swap(),
            swap_bytes: system.total_swap(),
            ..Machine::default()
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn disk(&mut self, seconds: Option<f64>) -> Option<Disk> {
        let kind = DiskRefreshKind::nothing().with_storage().with_io_usage();
        match &mut self.disks {
            Some(disks) => disks.refresh_specifics(true, kind),
            None => self.disks = Disks::new_with_refreshed_list_specifics(kind).ok(),
        }
        let disks = self.disks.as_ref()?;
        let folder = self.folder.canonicalize().ok()?;
        let depth = |place: &Path| place.components().count();
        let on = disks.iter().filter(|disk| folder.starts_with(disk.mount_point()));
        let nearest = on.max_by_key(|disk| depth(disk.mount_point()))?;
        let bytes = nearest.total_space();
        let rate = |part: fn(&sysinfo::Disk) -> u64| {
            seconds.map(|seconds| disks.iter().map(part).sum::<u64>() as f64 / seconds)
        };
        Some(Disk {
            used_bytes: bytes.saturating_sub(nearest.available_space()),
            bytes,
            read_bytes_per_second: rate(|disk| disk.usage().read_bytes),
            written_bytes_per_second: rate(|disk| disk.usage().written_bytes),
            ..Disk::default()
        })
    }

    #[allow(clippy::cast_precision_loss)]
    fn network(&mut self, seconds: Option<f64>) -> Option<Network> {
        match &mut self.networks {
            Some(networks) => networks.refresh(true),
            None => self.networks = Networks::new_with_refreshed_list().ok(),
        }
        let seconds = seconds?;
        let outward =
            || self.networks.iter().flat_map(|networks| networks.iter()).filter(|(name, _)| *name != "lo");
        Some(Network {
            received_bytes_per_second: outward().map(|(_, of)| of.received()).sum::<u64>() as f64 / seconds,
            sent_bytes_per_second: outward().map(|(_, of)| of.transmitted()).sum::<u64>() as f64 / seconds,
            queue_bytes: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_reading_has_the_rates() {
        let mut reader = Reader::new(".".into());
        let first = reader.read();
        assert_eq!((first.cpu_ratio, first.network), (None, None), "nothing to compare with");
        let machine = reader.read();
        assert!(machine.cpus > 0, "{machine:?}");
        assert!(machine.cpu_ratio.is_some_and(|ratio| (0.0..=1.0).contains(&ratio)), "{machine:?}");
        assert!((1..=machine.memory_bytes).contains(&machine.memory_used_bytes), "{machine:?}");
        assert!(machine.network.is_some(), "{machine:?}");
        if let Some(disk) = machine.disk {
            assert!(disk.used_bytes <= disk.bytes && disk.read_bytes_per_second.is_some(), "{machine:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_of_switches_and_queues() {
        let mut reader = Reader::new(".".into());
        reader.read();
        // Whatever else runs, this thread gives way.
        std::thread::yield_now();
        let machine = reader.read();
        assert!(machine.context_switches_per_second.is_some(), "{machine:?}");
        assert!(machine.io_wait_ratio.is_none_or(|ratio| (0.0..=1.0).contains(&ratio)), "{machine:?}");
        assert!(machine.network.unwrap().queue_bytes.is_some(), "{machine:?}");
        assert!(machine.load.is_some(), "{machine:?}");
    }
}
