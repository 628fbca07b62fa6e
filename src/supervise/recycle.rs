use bytesize::ByteSize;

use crate::store::WorkerInfo;

/// When a worker that is well is replaced all the same: it drains, and another one starts beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recycle {
    pub max_tasks: Option<u64>,
    /// Resident bytes, as its last heartbeat said.
    pub max_memory: Option<u64>,
}

impl Recycle {
    pub(super) fn reason(&self, info: &WorkerInfo) -> Option<String> {
        let beat = &info.beat;
        // It leaves already.
        if beat.draining {
            return None;
        }
        if let (Some(limit), Some(usage)) = (self.max_memory, beat.usage)
            && usage.memory > limit
        {
            return Some(format!("it takes {}; max_memory is {}", ByteSize(usage.memory), ByteSize(limit)));
        }
        let limit = self.max_tasks.filter(|limit| beat.done.tasks >= *limit)?;
        Some(format!("it has run {} tasks; max_tasks is {limit}", beat.done.tasks))
    }
}
