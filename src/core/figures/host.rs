//! What a machine did over a window of time: the mean of its readings, packed.

use serde::{Deserialize, Serialize};

use super::{Disk, Machine, Network};

const VALUES: usize = 20;

/// The mean of some readings of one machine. Some hundred bytes as MessagePack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFigures {
    samples: u32,
    /// In the order of [`values`]; absent where no reading had the value.
    means: [Option<f32>; VALUES],
}

impl HostFigures {
    /// Of one reading.
    pub fn of(machine: &Machine) -> Self {
        Self { samples: 1, means: values(machine) }
    }

    /// How many readings it is made of.
    pub const fn samples(&self) -> u32 {
        self.samples
    }

    /// With those of another window.
    pub fn merge(&mut self, other: &Self) {
        let [own, others] = [self.samples, other.samples].map(f64::from);
        for (mean, other) in self.means.iter_mut().zip(&other.means) {
            *mean = match (*mean, *other) {
                (Some(mean), Some(other)) => Some(
                    ((f64::from(mean) * own + f64::from(other) * others) / (own + others).max(1.0)) as f32,
                ),
                (mean, other) => mean.or(other),
            };
        }
        self.samples = self.samples.saturating_add(other.samples);
    }

    /// As a machine on average.
    pub fn machine(&self) -> Machine {
        machine(&self.means)
    }

    /// As stores keep it.
    pub fn pack(&self) -> Vec<u8> {
        // Fails for no such value.
        rmp_serde::to_vec(self).unwrap_or_default()
    }

    /// None where another version packed it in another way.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(bytes).ok()
    }
}

fn values(machine: &Machine) -> [Option<f32>; VALUES] {
    let Machine { cpus, cpu_ratio, io_wait_ratio, load, context_switches_per_second: switches, .. } =
        *machine;
    let share = |value: Option<f64>| value.map(|value| value as f32);
    let bytes = |value: u64| Some(value as f32);
    let load = |index: usize| load.map(|load| load[index] as f32);
    let disk = machine.disk;
    let of_disk = |value: fn(Disk) -> Option<f64>| share(disk.and_then(value));
    let network = machine.network;
    [
        Some(cpus as f32),
        share(cpu_ratio),
        share(io_wait_ratio),
        load(0),
        load(1),
        load(2),
        share(switches),
        bytes(machine.memory_used_bytes),
        bytes(machine.memory_bytes),
        bytes(machine.swap_used_bytes),
        bytes(machine.swap_bytes),
        disk.and_then(|disk| bytes(disk.used_bytes)),
        disk.and_then(|disk| bytes(disk.bytes)),
        of_disk(|disk| disk.read_bytes_per_second),
        of_disk(|disk| disk.written_bytes_per_second),
        of_disk(|disk| disk.busy_ratio),
        of_disk(|disk| disk.queue),
        network.map(|network| network.received_bytes_per_second as f32),
        network.map(|network| network.sent_bytes_per_second as f32),
        network.and_then(|network| bytes(network.queue_bytes?)),
    ]
}

fn machine(means: &[Option<f32>; VALUES]) -> Machine {
    let [
        cpus,
        cpu,
        io_wait,
        load_1,
        load_5,
        load_15,
        switches,
        memory_used,
        memory,
        swap_used,
        swap,
        disk_used,
        disk,
        read,
        written,
        busy,
        queue,
        received,
        sent,
        queue_bytes,
    ] = means.map(|mean| mean.map(f64::from));
    let bytes = |value: Option<f64>| value.unwrap_or_default().max(0.0).round() as u64;
    let load = |(one, five): (f64, f64)| load_15.map(|fifteen| [one, five, fifteen]);
    Machine {
        cpus: bytes(cpus) as u32,
        cpu_ratio: cpu,
        io_wait_ratio: io_wait,
        load: load_1.zip(load_5).and_then(load),
        context_switches_per_second: switches,
        memory_used_bytes: bytes(memory_used),
        memory_bytes: bytes(memory),
        swap_used_bytes: bytes(swap_used),
        swap_bytes: bytes(swap),
        disk: disk.map(|all| Disk {
            used_bytes: bytes(disk_used),
            bytes: bytes(Some(all)),
            read_bytes_per_second: read,
            written_bytes_per_second: written,
            busy_ratio: busy,
            queue,
        }),
        network: received.zip(sent).map(|(received, sent)| Network {
            received_bytes_per_second: received,
            sent_bytes_per_second: sent,
            queue_bytes: queue_bytes.map(|queue| bytes(Some(queue))),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading() -> Machine {
        Machine {
            cpus: 4,
            cpu_ratio: Some(0.25),
            io_wait_ratio: Some(0.5),
            load: Some([1.0, 2.0, 3.0]),
            context_switches_per_second: Some(1_000.0),
            memory_used_bytes: 1 << 30,
            memory_bytes: 1 << 33,
            swap_used_bytes: 1 << 20,
            swap_bytes: 1 << 30,
            disk: Some(Disk {
                used_bytes: 1 << 38,
                bytes: 1 << 40,
                read_bytes_per_second: Some(8.0),
                written_bytes_per_second: Some(16.0),
                busy_ratio: Some(0.75),
                queue: Some(1.5),
            }),
            network: Some(Network {
                received_bytes_per_second: 32.0,
                sent_bytes_per_second: 64.0,
                queue_bytes: Some(128),
            }),
        }
    }

    #[test]
    fn a_reading_is_read_back_from_few_bytes() {
        let packed = HostFigures::of(&reading()).pack();
        assert!(packed.len() <= 120, "{} bytes", packed.len());
        assert_eq!(HostFigures::read(&packed).unwrap().machine(), reading());
        let bare = Machine { cpus: 1, ..Machine::default() };
        assert_eq!(HostFigures::of(&bare).machine(), bare);
        assert_eq!(HostFigures::read(b"\x01"), None);
    }

    #[test]
    fn windows_come_together_by_their_readings() {
        let with = |cpu| HostFigures::of(&Machine { cpu_ratio: cpu, ..reading() });
        let mut window = with(Some(0.0));
        window.merge(&with(Some(0.5)));
        window.merge(&with(Some(1.0)));
        assert_eq!((window.samples(), window.machine().cpu_ratio), (3, Some(0.5)));
        let mut unknown = with(None);
        unknown.merge(&window);
        assert_eq!(
            (unknown.samples(), unknown.machine().cpu_ratio),
            (4, Some(0.5)),
            "what is not known is left out"
        );
    }
}
