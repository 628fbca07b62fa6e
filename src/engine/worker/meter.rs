use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::process::Tree;
use clawpool_backends::store::Usage;

/// What this process and the programs that its tasks started take of the machine. Looks every few seconds at
/// most, and all looks together take a hundredth of a core at most.
pub(super) struct Meter {
    /// Absent where the system does not tell.
    system: Option<System>,
    last: Option<Reading>,
}

struct Reading {
    at: Instant,
    /// No look before.
    rest: Duration,
    /// Milliseconds of processor time since each process started.
    cpu: HashMap<Pid, u64>,
    usage: Option<Usage>,
}

const PAUSE: Duration = Duration::from_secs(2);
/// Looks may take this part of the time.
const SHARE: u32 = 100;

impl Meter {
    pub fn new() -> Self {
        Self { system: System::new().ok(), last: None }
    }

    /// Two readings make one usage, so the first answer is none.
    pub fn read(&mut self) -> Option<Usage> {
        if let Some(last) = self.last.as_ref().filter(|last| last.at.elapsed() < last.rest) {
            return last.usage;
        }
        let at = Instant::now();
        let (cpu, memory) = self.look()?;
        let usage = self.last.as_ref().map(|last| {
            let before = |pid: &Pid| last.cpu.get(pid).copied().unwrap_or_default();
            let spent: u64 = cpu.iter().map(|(pid, now)| now.saturating_sub(before(pid))).sum();
            let span = at.duration_since(last.at).as_millis();
            Usage { cpu: (spent as f64 / span as f64 * 100.0) as f32, memory }
        });
        self.last = Some(Reading { at, rest: PAUSE.max(at.elapsed() * SHARE), cpu, usage });
        usage
    }

    /// Processor time of each process, and the resident bytes of all.
    fn look(&mut self) -> Option<(HashMap<Pid, u64>, u64)> {
        let system = self.system.as_mut()?;
        let own = Pid::from_u32(std::process::id());
        let kind = ProcessRefreshKind::nothing().with_cpu().with_memory();
        // Only a worker that has started programs looks for what these started.
        let alone = Tree::none();
        let whom = if alone { ProcessesToUpdate::Some(&[own]) } else { ProcessesToUpdate::All };
        system.refresh_processes_specifics(whom, true, kind);
        let mine = if alone { HashSet::from([own]) } else { family(own, system.processes()) };
        let mine: Vec<(Pid, &Process)> =
            mine.iter().filter_map(|pid| Some((*pid, system.process(*pid)?))).collect();
        system.process(own)?;
        let cpu = mine.iter().map(|(pid, process)| (*pid, process.accumulated_cpu_time())).collect();
        Some((cpu, mine.iter().map(|(_, process)| process.memory()).sum()))
    }
}

/// A process and all that descend from it.
fn family(own: Pid, processes: &HashMap<Pid, Process>) -> HashSet<Pid> {
    let mut children: HashMap<Pid, Vec<Pid>> = HashMap::new();
    for (pid, process) in processes {
        if let Some(parent) = process.parent() {
            children.entry(parent).or_default().push(*pid);
        }
    }
    let mut family = HashSet::new();
    let mut next = vec![own];
    while let Some(pid) = next.pop() {
        if family.insert(pid) {
            next.extend(children.remove(&pid).unwrap_or_default());
        }
    }
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_is_seen_to_be_busy() {
        let mut meter = Meter::new();
        assert_eq!(meter.read(), None, "nothing to compare with");
        assert_eq!(meter.read(), None, "no second look so soon");
        // What it would be after a pause.
        meter.last.as_mut().unwrap().rest = Duration::ZERO;
        let own = Pid::from_u32(std::process::id());
        while meter.look().unwrap().0[&own] < meter.last.as_ref().unwrap().cpu[&own] + 50 {}
        let usage = meter.read().unwrap();
        assert!(usage.cpu > 0.0 && usage.memory > 1 << 20, "{usage:?}");
    }

    /// A program that takes 64 MiB, two levels down.
    #[cfg(unix)]
    #[tokio::test]
    async fn what_a_tasks_program_takes_is_the_workers() {
        use std::process::Stdio;

        use tokio::{
            io::{AsyncBufReadExt, BufReader},
            process::Command,
        };

        let mut meter = Meter::new();
        let before = meter.look().unwrap().1;
        let mut command = Command::new("sh");
        let script = "sh -c 'x=$(head -c 67108864 /dev/zero | tr \\\\0 a); echo up; read line'; :";
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut tree = Tree::spawn(command).unwrap();
        let held = tree.stdin();
        let mut line = String::new();
        BufReader::new(tree.stdout().unwrap()).read_line(&mut line).await.unwrap();
        assert_eq!(line, "up\n");
        let during = meter.look().unwrap().1;
        assert!(during > before + (48 << 20), "{before} {during}");
        drop(held);
        tree.wait().await.unwrap();
    }
}
