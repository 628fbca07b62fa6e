use std::sync::{Mutex, PoisonError};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::Page;

/// What this process takes of its machine, by the names that every Prometheus dashboard knows.
pub struct OwnProcess(Mutex<Option<System>>);

impl Default for OwnProcess {
    fn default() -> Self {
        Self(Mutex::new(System::new().ok()))
    }
}

impl OwnProcess {
    /// What the system does not tell is left out.
    #[allow(clippy::cast_precision_loss)]
    pub fn show(&self, page: &mut Page) {
        let mut system = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(system) = system.as_mut() else { return };
        let own = Pid::from_u32(std::process::id());
        let kind = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), true, kind);
        let Some(process) = system.process(own) else { return };
        page.set("process_cpu_seconds_total", &[], process.accumulated_cpu_time() as f64 / 1000.0);
        page.count("process_resident_memory_bytes", &[], process.memory());
        page.count("process_virtual_memory_bytes", &[], process.virtual_memory());
        page.count("process_start_time_seconds", &[], process.start_time());
        for (name, files) in
            [("process_open_fds", process.open_files()), ("process_max_fds", process.open_files_limit())]
        {
            if let Some(files) = files {
                page.count(name, &[], files as u64);
            }
        }
    }
}
