use bytesize::ByteSize;

use clawpool_backends::store::WorkerInfo;
use clawpool_engine::alert::Event;

/// When a healthy worker is replaced: it drains, and another one starts beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recycle {
    pub max_tasks: Option<u64>,
    /// Resident bytes, as its last heartbeat said.
    pub max_memory: Option<u64>,
}

/// Why a healthy worker is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) event: Event,
    pub(super) text: String,
}

impl Recycle {
    pub(super) fn reason(&self, info: &WorkerInfo) -> Option<Reason> {
        let beat = &info.beat;
        // It leaves already.
        if beat.draining {
            return None;
        }
        if let (Some(limit), Some(usage)) = (self.max_memory, beat.usage)
            && usage.memory > limit
        {
            let text = format!("it takes {}; max_memory is {}", ByteSize(usage.memory), ByteSize(limit));
            return Some(Reason { event: Event::OverMemory, text });
        }
        let limit = self.max_tasks.filter(|limit| beat.done.tasks >= *limit)?;
        let text = format!("it has run {} tasks; max_tasks is {limit}", beat.done.tasks);
        Some(Reason { event: Event::Recycled, text })
    }
}
