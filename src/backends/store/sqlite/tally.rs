//! The totals of the queues. A job counts in memory and writes each queue it touched once.

use rusqlite::{Connection, Row, named_params};

use crate::{
    backend::sqlite::Write,
    store::{QueueTotals, Totals},
};
use clawpool_core::task::{Queue, Timestamp};

const UPDATE: &str = "
    UPDATE totals SET
        enqueued = enqueued + :enqueued, completed = completed + :completed, retried = retried + :retried,
        dead = dead + :dead, cancelled = cancelled + :cancelled,
        enqueued_last = CASE minute WHEN :minute THEN enqueued_last WHEN :minute - 1 THEN enqueued_now ELSE 0
        END,
        finished_last = CASE minute WHEN :minute THEN finished_last WHEN :minute - 1 THEN finished_now ELSE 0
        END,
        enqueued_now = iif(minute = :minute, enqueued_now, 0) + max(:enqueued, 0),
        finished_now = iif(minute = :minute, finished_now, 0) + :completed + :dead + :cancelled,
        minute = :minute
    WHERE queue = :queue";

/// What one job has counted.
#[derive(Debug, Default)]
pub(crate) struct Tally(Vec<(Queue, Counts)>);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// Negative when tasks were withdrawn.
    pub(crate) enqueued: i64,
    pub(crate) completed: i64,
    pub(crate) retried: i64,
    pub(crate) dead: i64,
    pub(crate) cancelled: i64,
}

impl Tally {
    pub(crate) fn of(&mut self, queue: Queue) -> &mut Counts {
        let at = self.0.iter().position(|(counted, _)| *counted == queue).unwrap_or_else(|| {
            self.0.push((queue, Counts::default()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    pub(crate) fn write(&self, write: &Write<'_>) -> rusqlite::Result<()> {
        for (queue, counts) in self.0.iter().filter(|(_, counts)| *counts != Counts::default()) {
            let parameters = named_params! {
                ":enqueued": counts.enqueued,
                ":completed": counts.completed,
                ":retried": counts.retried,
                ":dead": counts.dead,
                ":cancelled": counts.cancelled,
                ":minute": minute(write.now),
                ":queue": queue,
            };
            let mut update = write.sql.prepare_cached(UPDATE)?;
            if update.execute(parameters)? == 0 {
                write.sql.prepare_cached("INSERT INTO totals (queue) VALUES (?1)")?.execute([queue])?;
                update.execute(parameters)?;
            }
        }
        Ok(())
    }
}

/// How many queues have had a task.
pub(super) fn queues(sql: &Connection) -> rusqlite::Result<u64> {
    sql.prepare_cached("SELECT count(*) FROM totals")?.query_row((), |row| row.get(0))
}

pub(super) fn read(sql: &Connection, now: Timestamp) -> rusqlite::Result<Totals> {
    let mut query = sql.prepare_cached("SELECT * FROM totals")?;
    query.query_map((), |row| Ok((row.get("queue")?, totals(row, minute(now))?)))?.collect()
}

fn totals(row: &Row<'_>, minute: u64) -> rusqlite::Result<QueueTotals> {
    // The row's minute is that of its last change, which may be long ago.
    let of_last_minute = |last: &str, now: &str| -> rusqlite::Result<f64> {
        let counted: u64 = row.get("minute")?;
        match minute.saturating_sub(counted) {
            0 => row.get::<_, f64>(last),
            1 => row.get(now),
            _ => Ok(0.0),
        }
    };
    Ok(QueueTotals {
        enqueued: count(row, "enqueued")?,
        completed: count(row, "completed")?,
        retried: count(row, "retried")?,
        dead: count(row, "dead")?,
        cancelled: count(row, "cancelled")?,
        enqueue_rate: of_last_minute("enqueued_last", "enqueued_now")? / 60.0,
        finish_rate: of_last_minute("finished_last", "finished_now")? / 60.0,
    })
}

fn count(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|count| count.max(0).unsigned_abs())
}

fn minute(now: Timestamp) -> u64 {
    now.as_millis() / 60_000
}
