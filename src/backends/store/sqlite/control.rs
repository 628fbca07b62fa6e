use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::{candidates, leaders, tally};
use crate::{
    backend::sqlite::Write,
    store::{ControlStore, Fence, Role, StoreError, Totals},
};
use clawpool_core::task::{ProcessId, Queue, Timestamp};

#[async_trait]
impl ControlStore for super::SqliteStore {
    async fn lead(&self, role: Role, who: ProcessId, lease: Duration) -> Result<Option<Fence>, StoreError> {
        self.candidates.hold(who);
        let folder = self.candidates.folder().to_owned();
        let is_dead = move |leader| candidates::is_dead(&folder, leader);
        Ok(self.database.write(move |write| leaders::lead(write, role, who, lease, is_dead)).await?)
    }

    async fn resign(&self, fence: Fence) -> Result<(), StoreError> {
        Ok(self.database.write(move |write| leaders::resign(write, fence)).await?)
    }

    async fn set_paused(&self, queue: Queue, paused: bool) -> Result<(), StoreError> {
        let statement = if paused {
            "INSERT OR IGNORE INTO paused (queue) VALUES (?1)"
        } else {
            "DELETE FROM paused WHERE queue = ?1"
        };
        let work =
            move |write: &mut Write<'_>| write.sql.prepare_cached(statement)?.execute([queue]).map(drop);
        Ok(self.database.write(work).await?)
    }

    async fn paused(&self) -> Result<Vec<Queue>, StoreError> {
        Ok(self.database.read(paused).await?)
    }

    async fn take_tokens(
        &self,
        bucket: &str,
        want: u32,
        per_second: f64,
        burst: u32,
    ) -> Result<(u32, Duration), StoreError> {
        let bucket = bucket.to_owned();
        let pace = Pace { per_second, burst };
        Ok(self.database.write(move |write| take_tokens(write.sql, &bucket, want, &pace)).await?)
    }

    /// A small write may find room where others found none, so what became of those since the last look
    /// counts as well.
    async fn probe(&self) -> Result<(), StoreError> {
        let failed = self.database.failed_write();
        let put = "REPLACE INTO notes (name, value, until) VALUES ('probe', zeroblob(4096), ?1)";
        let work = move |write: &mut Write<'_>| write.sql.prepare_cached(put)?.execute([write.now]).map(drop);
        self.database.write(work).await?;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        Ok(self.database.read(|sql| tally::read(sql, Timestamp::now())).await?)
    }
}

pub(super) fn paused(sql: &Connection) -> rusqlite::Result<Vec<Queue>> {
    // What names no queue is passed over: every worker's heartbeat reads this.
    let mut query = sql.prepare_cached("SELECT queue FROM paused")?;
    let rows = query.query_map((), |row| Ok(row.get::<_, Queue>(0).ok()))?;
    let mut paused = rows.flat_map(Result::transpose).collect::<rusqlite::Result<Vec<_>>>()?;
    paused.sort_unstable();
    Ok(paused)
}

struct Pace {
    per_second: f64,
    burst: u32,
}

fn take_tokens(sql: &Connection, bucket: &str, want: u32, pace: &Pace) -> rusqlite::Result<(u32, Duration)> {
    let now = micros();
    let mut query = sql.prepare_cached("SELECT tokens, at FROM buckets WHERE name = ?1")?;
    let row =
        query.query_row([bucket], |row| Ok((row.get::<_, f64>(0)?, row.get::<_, i64>(1)?))).optional()?;
    let full = f64::from(pace.burst);
    let filled = row.map_or(full, |(tokens, at)| {
        // A clock that was set back refills nothing, and refills again from its new time on.
        let elapsed = Duration::from_micros(now.saturating_sub(at).max(0).unsigned_abs());
        full.min(elapsed.as_secs_f64().mul_add(pace.per_second, tokens))
    });
    let taken = f64::from(want).min(filled.floor()).max(0.0);
    let left = filled - taken;
    sql.prepare_cached("REPLACE INTO buckets (name, tokens, at) VALUES (?1, ?2, ?3)")?
        .execute(params![bucket, left, now])?;
    Ok((taken as u32, wait(left, pace)))
}

/// Until there is a whole token.
fn wait(left: f64, pace: &Pace) -> Duration {
    if left >= 1.0 {
        return Duration::ZERO;
    }
    Duration::try_from_secs_f64((1.0 - left) / pace.per_second).unwrap_or(Duration::MAX)
}

fn micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
