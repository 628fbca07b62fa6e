//! The logs of attempts: lines that programs and handlers wrote. They come in pieces, some time after they
//! were written, and go by themselves.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::StoreError;
use clawpool_core::task::TaskId;

/// Of one task: the logs of so many of its latest attempts.
pub const LOGS_KEPT: u32 = 10;

#[async_trait]
pub trait LogStore: Send + Sync + 'static {
    /// Adds lines to the logs of attempts, also of tasks that the store does not know (any more).
    async fn append_logs(&self, rules: LogRules, pieces: &[LogLines]) -> Result<(), StoreError>;

    /// The logs of a task, its first attempt first.
    async fn logs(&self, id: TaskId) -> Result<Vec<AttemptLog>, StoreError>;
}

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRules {
    /// Bytes of each log: whole lines, the latest ones.
    pub most: usize,
    /// How long after the last line of any of a task's attempts.
    pub keep: Duration,
}

/// Lines of one attempt, each with its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLines {
    pub id: TaskId,
    /// 1 is the first.
    pub attempt: u32,
    pub lines: Bytes,
}

/// What is kept of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptLog {
    pub attempt: u32,
    pub lines: Bytes,
}

impl LogRules {
    /// The latest whole lines that have room.
    pub fn latest(self, lines: &[u8]) -> &[u8] {
        let Some(surplus) = lines.len().checked_sub(self.most).filter(|surplus| *surplus > 0) else {
            return lines;
        };
        // Where a line ends just before what has room, all of that is whole.
        let end = lines[surplus - 1..].iter().position(|byte| *byte == b'\n');
        end.map_or(&[], |end| &lines[surplus + end..])
    }
}
