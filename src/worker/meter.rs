use std::time::{Duration, Instant};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::store::Usage;

/// What this process takes of its machine. Looks every few seconds at most, so that it costs next to nothing.
pub(super) struct Meter {
    /// Absent where the system does not tell.
    system: Option<System>,
    last: Option<Reading>,
}

struct Reading {
    at: Instant,
    /// Milliseconds of processor time since the process started.
    cpu: u64,
    usage: Option<Usage>,
}

const PAUSE: Duration = Duration::from_secs(2);

impl Meter {
    pub fn new() -> Self {
        Self { system: System::new().ok(), last: None }
    }

    /// Two readings make one usage, so the first answer is none.
    pub fn read(&mut self) -> Option<Usage> {
        if let Some(last) = self.last.as_ref().filter(|last| last.at.elapsed() < PAUSE) {
            return last.usage;
        }
        let (cpu, memory) = self.look()?;
        let at = Instant::now();
        let usage = self.last.as_ref().map(|last| {
            let (span, cpu) = (at.duration_since(last.at).as_millis(), cpu.saturating_sub(last.cpu));
            Usage { cpu: (cpu as f64 / span as f64 * 100.0) as f32, memory }
        });
        self.last = Some(Reading { at, cpu, usage });
        usage
    }

    fn look(&mut self) -> Option<(u64, u64)> {
        let (system, pid) = (self.system.as_mut()?, Pid::from_u32(std::process::id()));
        let kind = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
        let process = system.process(pid)?;
        Some((process.accumulated_cpu_time(), process.memory()))
    }
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
        meter.last.as_mut().unwrap().at = Instant::now().checked_sub(PAUSE).unwrap();
        while meter.look().unwrap().0 < meter.last.as_ref().unwrap().cpu + 50 {}
        let usage = meter.read().unwrap();
        assert!(usage.cpu > 0.0 && usage.memory > 1 << 20, "{usage:?}");
    }
}
