//! What only Linux tells: `/proc/stat`, `/proc/diskstats` and `/proc/net/sockstat`.

use std::{collections::HashMap, fs};

use clawpool_core::figures::Machine;

/// What was counted since the machine started, at the reading before.
#[derive(Default)]
pub(super) struct Counters {
    stat: Option<Stat>,
    disks: HashMap<String, DiskTimes>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Stat {
    /// In ticks of all processors.
    total: u64,
    io_wait: u64,
    switches: u64,
}

/// In milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct DiskTimes {
    busy: u64,
    /// The times of all requests together.
    weighted: u64,
}

/// The kernel counts the buffers' memory in pages of this size on nearly all machines.
const PAGE: u64 = 4096;

impl Counters {
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn add_to(&mut self, machine: &mut Machine, seconds: Option<f64>) {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let stat = stat(&read("/proc/stat"));
        let last = self.stat.replace(stat);
        let disks = disks(&read("/proc/diskstats"));
        let disks_before = std::mem::replace(&mut self.disks, disks);
        if let Some(network) = &mut machine.network {
            network.queue_bytes = queued_pages(&read("/proc/net/sockstat")).map(|pages| pages * PAGE);
        }
        let (Some(last), Some(seconds)) = (last, seconds) else { return };
        let ticks = stat.total.saturating_sub(last.total);
        let waited = stat.io_wait.saturating_sub(last.io_wait);
        machine.io_wait_ratio = (ticks > 0).then(|| (waited as f64 / ticks as f64).min(1.0));
        machine.context_switches_per_second =
            Some(stat.switches.saturating_sub(last.switches) as f64 / seconds);
        let Some(disk) = &mut machine.disk else { return };
        let most = |part: fn(&DiskTimes) -> u64| {
            let rise = |(name, now): (&String, &DiskTimes)| {
                Some(part(now).saturating_sub(part(disks_before.get(name)?)) as f64 / 1000.0 / seconds)
            };
            self.disks.iter().filter_map(rise).reduce(f64::max)
        };
        disk.busy_ratio = most(|times| times.busy).map(|ratio| ratio.min(1.0));
        disk.queue = most(|times| times.weighted);
    }
}

fn stat(text: &str) -> Stat {
    let mut stat = Stat::default();
    for line in text.lines() {
        if let Some(ticks) = line.strip_prefix("cpu ") {
            let ticks: Vec<u64> = ticks.split_whitespace().map_while(|tick| tick.parse().ok()).collect();
            // Guests' time is in the first two already.
            stat.total = ticks.iter().take(8).sum();
            stat.io_wait = ticks.get(4).copied().unwrap_or_default();
        } else if let Some(switches) = line.strip_prefix("ctxt ") {
            stat.switches = switches.trim().parse().unwrap_or_default();
        }
    }
    stat
}

/// Without those that are only memory or a file.
fn disks(text: &str) -> HashMap<String, DiskTimes> {
    let times = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = *words.get(2)?;
        let is_real = !["loop", "ram", "zram"].iter().any(|kind| name.starts_with(kind));
        let number = |at: usize| words.get(at)?.parse().ok();
        is_real.then_some((name.to_owned(), DiskTimes { busy: number(12)?, weighted: number(13)? }))
    };
    text.lines().filter_map(times).collect()
}

fn queued_pages(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.lines().find(|line| line.starts_with("TCP:"))?.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "mem")?;
    words.get(at + 1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_read() {
        let text = "cpu  10 1 5 80 3 0 1 0 4 0\ncpu0 10 1 5 80 3 0 1 0 4 0\nctxt 4711\nbtime 1\n";
        assert_eq!(stat(text), Stat { total: 100, io_wait: 3, switches: 4711 });
        let text =
            "   8       0 sda 1 2 3 4 5 6 7 8 9 100 250 0 0 0 0\n   7       0 loop0 1 2 3 4 5 6 7 8 9 9 9\n";
        assert_eq!(disks(text), HashMap::from([("sda".into(), DiskTimes { busy: 100, weighted: 250 })]));
        assert_eq!(queued_pages("sockets: used 9\nTCP: inuse 5 orphan 0 tw 0 alloc 8 mem 3\n"), Some(3));
    }

    #[test]
    fn a_file_that_is_not_there_says_nothing() {
        let mut machine = Machine::default();
        assert_eq!((stat(""), disks(""), queued_pages("")), (Stat::default(), HashMap::new(), None));
        Counters::default().add_to(&mut machine, None);
        assert_eq!(machine.context_switches_per_second, None);
    }
}
