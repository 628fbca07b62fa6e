//! Leadership, pauses, pacing and totals.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::cmd;

use super::{RedisStore, error::failure, millis, scripts, workers::queues};
use crate::store::{ControlStore, Fence, QueueTotals, Role, StoreError, Totals, stored_beat::SHARED};
use clawpool_core::task::{ProcessId, Queue};

/// It is never read.
const PROBE_KEPT: Duration = Duration::from_mins(1);

#[async_trait]
impl ControlStore for RedisStore {
    async fn lead(&self, role: Role, who: ProcessId, lease: Duration) -> Result<Option<Fence>, StoreError> {
        let mut call = self.call(&scripts::LEAD);
        call.arg(role.name()).arg(who.as_bytes()).arg(millis(lease));
        let number: u64 = self.run(&call).await?;
        Ok((number > 0).then_some(Fence { role, number }))
    }

    async fn resign(&self, fence: Fence) -> Result<(), StoreError> {
        let mut call = self.call(&scripts::RESIGN);
        call.arg(fence.role.name()).arg(fence.number);
        self.run(&call).await
    }

    async fn set_paused(&self, queue: Queue, paused: bool) -> Result<(), StoreError> {
        if queue == Queue::P2 || queue == Queue::P3 {
            self.part_shared().await?;
        }
        let command = if paused { "SADD" } else { "SREM" };
        let answer = self.link.send::<i64>(cmd(command).arg(self.paused_key()).arg(&*queue.written())).await;
        answer.map(drop).map_err(|error| failure(&error))
    }

    async fn paused(&self) -> Result<Vec<Queue>, StoreError> {
        let names: Result<Vec<Bytes>, _> = self.link.send(cmd("SMEMBERS").arg(self.paused_key())).await;
        Ok(queues(&names.map_err(|error| failure(&error))?))
    }

    async fn take_tokens(
        &self,
        bucket: &str,
        want: u32,
        per_second: f64,
        burst: u32,
    ) -> Result<(u32, Duration), StoreError> {
        let mut call = self.call(&scripts::TAKE_TOKENS);
        call.arg(bucket).arg(want).arg(per_second).arg(burst);
        let (got, wait): (u32, u64) = self.run(&call).await?;
        Ok((got, Duration::from_micros(wait)))
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let mut set = cmd("SET");
        set.arg(format!("{}:probe", self.link.base())).arg("1").arg("PX").arg(millis(PROBE_KEPT));
        self.link.send::<()>(&set).await.map_err(|error| failure(&error))
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        let rows: Vec<(String, [i64; 7])> = self.run(&self.call(&scripts::TOTALS)).await?;
        let each = rows.into_iter().filter_map(|(name, sums)| Some((counted_as(&name)?, totals(sums))));
        Ok(each.collect())
    }
}

impl RedisStore {
    /// What an earlier version has paused as one queue are two.
    async fn part_shared(&self) -> Result<(), StoreError> {
        let mut forget = cmd("SREM");
        forget.arg(self.paused_key()).arg(SHARED);
        if self.link.send::<i64>(&forget).await.map_err(|error| failure(&error))? == 1 {
            let mut add = cmd("SADD");
            add.arg(self.paused_key()).arg(Queue::P2.name()).arg(Queue::P3.name());
            self.link.send::<i64>(&add).await.map_err(|error| failure(&error))?;
        }
        Ok(())
    }

    fn paused_key(&self) -> String {
        format!("{}:paused", self.link.base())
    }
}

/// The queue that is counted under this name: see `parts/totals.lua`.
fn counted_as(name: &str) -> Option<Queue> {
    match name {
        "0" => Some(Queue::P0),
        "1" => Some(Queue::P1),
        "2" => Some(Queue::P2),
        "3" => Some(Queue::P4),
        "4" => Some(Queue::P5),
        "5" => Some(Queue::P6),
        other => other.parse().ok(),
    }
}

fn totals([enqueued, completed, retried, dead, cancelled, entered, finished]: [i64; 7]) -> QueueTotals {
    // Below zero only where a withdrawal fell into another period than its admission.
    let count = |number: i64| number.try_into().unwrap_or(0);
    let rate = |number: i64| number.max(0) as f64 / 60.0;
    QueueTotals {
        enqueued: count(enqueued),
        completed: count(completed),
        retried: count(retried),
        dead: count(dead),
        cancelled: count(cancelled),
        enqueue_rate: rate(entered),
        finish_rate: rate(finished),
    }
}
