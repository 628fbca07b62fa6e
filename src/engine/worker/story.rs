use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::settle::Ended;
use clawpool_core::{
    config::Config,
    task::{ProcessId, Ran, Story, Task},
};

/// Tells people of attempts, in what is written at their ends anyway.
pub(super) struct Stories {
    worker: ProcessId,
    version: Arc<str>,
    longest_payload: usize,
}

impl Stories {
    pub fn new(config: &Config, worker: ProcessId, version: String) -> Self {
        let longest_payload = usize::try_from(config.attempts.payload.as_u64()).unwrap_or(usize::MAX);
        Self { worker, version: version.into(), longest_payload }
    }

    /// None where nothing ran.
    pub fn ran(&self, ended: &Ended) -> Option<Ran> {
        let spans = ended.spans?;
        let millis = |span: Duration| span.as_millis().try_into().unwrap_or(u64::MAX);
        Some(Ran {
            by: self.worker,
            version: Arc::clone(&self.version),
            started_at: ended.job.began?,
            wait_ms: millis(spans.wait),
            run_ms: millis(spans.run),
        })
    }

    pub fn of(&self, task: &Task, last: Option<&Ran>) -> Bytes {
        Story::write(task, last, self.longest_payload)
    }
}
