//! Leadership: who leads, until when, and the number that proves it.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use crate::{
    backend::sqlite::Write,
    store::{Fence, Role, StoreError},
};
use clawpool_core::task::{ProcessId, Timestamp};

struct Leader {
    who: Option<ProcessId>,
    fence: u64,
    taken_at: Timestamp,
    lease: u64,
}

impl Leader {
    /// A lease taken in the future was taken before the clock was set back; it would last for ever.
    fn holds(&self, now: Timestamp) -> bool {
        let until = self.taken_at + Duration::from_millis(self.lease);
        self.who.is_some() && now < until && self.taken_at <= now + Duration::from_secs(1)
    }
}

fn leader(write: &Write<'_>, role: Role) -> rusqlite::Result<Option<Leader>> {
    let mut query =
        write.sql.prepare_cached("SELECT who, fence, taken_at, lease FROM leaders WHERE role = ?1")?;
    let leader = query.query_row([role.name()], |row| {
        Ok(Leader { who: row.get(0)?, fence: row.get(1)?, taken_at: row.get(2)?, lease: row.get(3)? })
    });
    leader.optional()
}

/// A leader that `is_dead` leads no longer, whatever its lease says.
pub(super) fn lead(
    write: &Write<'_>,
    role: Role,
    who: ProcessId,
    lease: Duration,
    is_dead: impl Fn(ProcessId) -> bool,
) -> rusqlite::Result<Option<Fence>> {
    let number = match leader(write, role)? {
        Some(current) if current.holds(write.now) && current.who == Some(who) => current.fence,
        Some(current) if current.holds(write.now) && !current.who.is_some_and(is_dead) => return Ok(None),
        Some(former) => former.fence + 1,
        None => 1,
    };
    let upsert = "REPLACE INTO leaders (role, who, fence, taken_at, lease) VALUES (?1, ?2, ?3, ?4, ?5)";
    let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
    write.sql.prepare_cached(upsert)?.execute(params![role.name(), who, number, write.now, lease])?;
    Ok(Some(Fence { role, number }))
}

pub(super) fn resign(write: &Write<'_>, fence: Fence) -> rusqlite::Result<()> {
    let update = "UPDATE leaders SET who = NULL WHERE role = ?1 AND fence = ?2";
    write.sql.prepare_cached(update)?.execute(params![fence.role.name(), fence.number]).map(drop)
}

/// Does `work` unless another process has taken leadership since.
pub(crate) fn fenced<T>(
    write: &mut Write<'_>,
    fence: Fence,
    work: impl FnOnce(&mut Write<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Result<T, StoreError>> {
    let current = leader(write, fence.role)?.map_or(0, |leader| leader.fence);
    if fence.number < current {
        return Ok(Err(StoreError::Fenced { held: fence.number, current }));
    }
    work(write).map(Ok)
}

/// The same for work that need not be a leader's.
pub(super) fn fenced_if_led<T>(
    write: &mut Write<'_>,
    fence: Option<Fence>,
    work: impl FnOnce(&mut Write<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Result<T, StoreError>> {
    match fence {
        Some(fence) => fenced(write, fence, work),
        None => work(write).map(Ok),
    }
}
