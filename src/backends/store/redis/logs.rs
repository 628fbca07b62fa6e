//! The logs of attempts: a hash for each task.

use async_trait::async_trait;
use bytes::Bytes;
use redis::cmd;

use super::{RedisStore, error::failure, millis, scripts, unreadable::is_of_another_type};
use crate::store::{AttemptLog, LOGS_KEPT, LogLines, LogRules, LogStore, StoreError};
use clawpool_core::task::TaskId;

/// In one script: a log is copied for each piece.
const BATCH: usize = 32;

#[async_trait]
impl LogStore for RedisStore {
    async fn append_logs(&self, rules: LogRules, pieces: &[LogLines]) -> Result<(), StoreError> {
        for chunk in pieces.chunks(BATCH) {
            let mut call = self.call(&scripts::APPEND_LOGS);
            call.arg(rules.most).arg(millis(rules.keep).max(1)).arg(LOGS_KEPT);
            for LogLines { id, attempt, lines } in chunk {
                call.arg(id.as_bytes()).arg(*attempt).arg(&lines[..]);
            }
            self.run::<()>(&call).await?;
        }
        Ok(())
    }

    async fn logs(&self, id: TaskId) -> Result<Vec<AttemptLog>, StoreError> {
        let key = [self.link.base().as_bytes(), b":log:", id.as_bytes()].concat();
        let found: Vec<(u32, Bytes)> = match self.link.send(cmd("HGETALL").arg(key)).await {
            // Somebody else's.
            Err(error) if is_of_another_type(&error) => Vec::new(),
            found => found.map_err(|error| failure(&error))?,
        };
        let mut logs: Vec<AttemptLog> =
            found.into_iter().map(|(attempt, lines)| AttemptLog { attempt, lines }).collect();
        logs.sort_unstable_by_key(|log| log.attempt);
        Ok(logs)
    }
}
