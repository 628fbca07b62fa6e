//! What the processes take of the machine.

use std::{collections::BTreeMap, fs};

use super::world::World;

#[derive(Clone, Copy, Debug, Default)]
pub struct Vitals {
    /// In KiB.
    pub memory: u64,
    pub files: u64,
    pub threads: u64,
}

impl Vitals {
    /// `None`: the process is gone.
    fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
        Some(Self { memory: number("VmRSS:")?, files, threads: number("Threads:")? })
    }

    fn most(self, other: Self) -> Self {
        Self {
            memory: self.memory.max(other.memory),
            files: self.files.max(other.files),
            threads: self.threads.max(other.threads),
        }
    }
}

/// Of every program at this moment; the kept workers count as one, the largest of them.
pub fn sample(world: &World) -> BTreeMap<String, Vitals> {
    let mut all: BTreeMap<String, Vitals> = BTreeMap::new();
    let programs = world.programs.iter().map(|program| (program.name.clone(), program.pid()));
    let workers = world.workers().into_iter().map(|pid| ("worker".to_owned(), pid));
    for (name, pid) in programs.chain(workers) {
        if let Some(vitals) = Vitals::of(pid) {
            let most = all.entry(name).or_default();
            *most = most.most(vitals);
        }
    }
    all
}
