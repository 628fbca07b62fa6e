//! Memory of this machine, or of the container that this process is in.

use bytesize::ByteSize;
use sysinfo::{MemoryRefreshKind, System};

use super::{aside::aside, finding::Finding};

pub(super) async fn check() -> Vec<Finding> {
    let found = aside(read).await.flatten();
    vec![found.map_or_else(
        || Finding::skipped("this system does not say what memory is free"),
        |(free, total)| judge(free, total),
    )]
}

/// Bytes that are free, of all.
fn read() -> Option<(u64, u64)> {
    let mut system = System::new().ok()?;
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let machine = (system.available_memory(), system.total_memory());
    let here = system
        .cgroup_limits()
        .map_or(machine, |limits| (machine.0.min(limits.free_memory), machine.1.min(limits.total_memory)));
    Some(here).filter(|(_, total)| *total > 0)
}

fn judge(free: u64, total: u64) -> Finding {
    const LITTLE: u64 = 64 << 20;
    let text = format!("{} of {} are free", ByteSize::b(free), ByteSize::b(total));
    let fix = "give the machine more, or run fewer workers: lower max of the pools, or set max_memory";
    if free < LITTLE {
        Finding::error(text, fix)
    } else if free < total / 20 {
        Finding::warning(text, fix)
    } else {
        Finding::ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn short_memory_is_found() {
        const GIB: u64 = 1 << 30;
        for (free, status) in [(1 << 20, Status::Error), (GIB / 3, Status::Warning), (3 * GIB, Status::Ok)] {
            assert_eq!(judge(free, 8 * GIB).status, status);
        }
        assert!(read().is_some_and(|(free, total)| free <= total));
    }
}
