//! The table `limits` of a pool: what Windows holds each of its workers to.

use bytesize::{ByteSize, MIB};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Pool, PoolDriver};
use crate::config::reading::{Key, Report, size};

/// Of a Windows job object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolLimits {
    /// What all together may commit; beyond it allocations fail, and a worker dies of `out_of_memory`.
    #[serde(default, with = "size::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub memory: Option<ByteSize>,
    /// Processes, the worker among them; beyond it none starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
}

/// A limit that would not be kept is refused, never passed over.
pub(super) fn check(key: &Key, pool: &Pool, report: &mut Report) {
    check_on(cfg!(windows), &key.name("limits"), pool, report);
}

fn check_on(windows: bool, key: &Key, pool: &Pool, report: &mut Report) {
    let PoolLimits { memory, processes } = pool.limits;
    let memory_key = key.name("memory");
    let processes_key = key.name("processes");
    if let Some(processes) = processes {
        report.at_least_one(&processes_key, processes);
    }
    if let Some(memory) = memory
        && memory.as_u64() < 16 * MIB
    {
        let rule = "no worker starts in less than 16 MiB";
        report.refuse(&memory_key, memory, rule, "write for example \"2 GiB\"");
    }
    if let (Some(memory), Some(replaced)) = (memory, pool.max_memory)
        && memory <= replaced
    {
        let rule = format!("the worker would die before it is replaced at max_memory ({replaced})");
        report.conflict(&[&memory_key], memory, rule, "raise it, or lower max_memory");
    }
    let set = [(&memory_key, memory.is_some()), (&processes_key, processes.is_some())];
    for (key, _) in set.into_iter().filter(|(_, set)| *set) {
        let fix = match &pool.driver {
            PoolDriver::Process if windows => continue,
            PoolDriver::Process => "take it out; systemd has MemoryMax and TasksMax for the unit",
            PoolDriver::Docker { .. } => "take it out, and set it for the service in the compose file",
            PoolDriver::Kubernetes { .. } => "take it out, and set the limits of the deployment's containers",
        };
        report.refuse(key, "set", "Windows alone limits the processes of a pool", fix);
    }
}

#[cfg(test)]
mod tests {
    use bytesize::ByteSize;

    use super::*;

    fn faults(windows: bool, pool: &Pool) -> String {
        let mut report = Report::default();
        check_on(windows, &Key::from("limits"), pool, &mut report);
        report.finish().err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn limits_are_for_processes_of_windows() {
        let limits = PoolLimits { memory: Some(ByteSize::gib(2)), processes: Some(9) };
        let mut pool = Pool { limits, max_memory: Some(ByteSize::gib(1)), ..Pool::default() };
        assert_eq!(faults(true, &pool), "");
        let elsewhere = faults(false, &pool);
        assert!(elsewhere.contains("limits.memory") && elsewhere.contains("MemoryMax"), "{elsewhere}");
        pool.driver = PoolDriver::Docker { service: "worker".into() };
        assert!(faults(true, &pool).contains("compose file"));
        pool.limits = PoolLimits::default();
        assert_eq!(faults(false, &pool), "");
    }

    #[test]
    fn limits_that_no_worker_survives_are_refused() {
        let limits = PoolLimits { memory: Some(ByteSize::mib(1)), processes: Some(0) };
        let said = faults(true, &Pool { limits, max_memory: Some(ByteSize::gib(1)), ..Pool::default() });
        for words in ["16 MiB", "1 or more", "max_memory"] {
            assert!(said.contains(words), "no {words:?} in {said}");
        }
    }
}
