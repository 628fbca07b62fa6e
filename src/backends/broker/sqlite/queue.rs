//! The statements on the queues' rows. Each runs within a transaction of the writer.

use std::{collections::HashMap, ops::ControlFlow};

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params, types::Value};

use crate::{
    backend::{
        StoredItem,
        sqlite::{MESSAGE, QUEUE, Topic, Write, message, part, readable, set_aside},
    },
    broker::{BrokerError, Delivery, Depth, Receipt},
};
use clawpool_core::{
    config::QueueLimits,
    task::{Message, ProcessId, Queue, TaskId, Timestamp},
};

/// How the number of waiting messages changes, for each queue.
#[derive(Debug, Default)]
pub(crate) struct Changes(Vec<(Queue, i64)>);

impl Changes {
    pub(crate) fn add(&mut self, queue: Queue, change: i64) {
        match self.0.iter_mut().find(|(changed, _)| *changed == queue) {
            Some((_, sum)) => *sum += change,
            None => self.0.push((queue, change)),
        }
    }
}

pub(crate) fn publish(
    write: &mut Write<'_>,
    limits: &QueueLimits,
    messages: &[Message],
) -> rusqlite::Result<Vec<Result<(), BrokerError>>> {
    let mut publisher = Publisher::new(write.sql, limits)?;
    let mut answers = Vec::with_capacity(messages.len());
    for message in messages {
        let room = publisher.room(message.queue)?;
        if room.is_ok() {
            publisher.put(message)?;
        }
        answers.push(room);
    }
    let changes = publisher.changes;
    count(write, &changes)?;
    Ok(answers)
}

/// Puts messages on their queues, as far as these have room.
pub(crate) struct Publisher<'a> {
    sql: &'a Connection,
    limits: &'a QueueLimits,
    room: HashMap<Queue, u64>,
    /// To be counted at the end.
    pub(crate) changes: Changes,
    row: CachedStatement<'a>,
    waiting: CachedStatement<'a>,
}

impl<'a> Publisher<'a> {
    pub(crate) fn new(sql: &'a Connection, limits: &'a QueueLimits) -> rusqlite::Result<Self> {
        let row = sql.prepare_cached(INSERT_MESSAGE)?;
        let waiting = sql.prepare_cached(INSERT_WAITING)?;
        let room = HashMap::new();
        let changes = Changes::default();
        Ok(Self { sql, limits, room, changes, row, waiting })
    }

    /// Whether one more finds room.
    pub(crate) fn room(&mut self, queue: Queue) -> rusqlite::Result<Result<(), BrokerError>> {
        let limit = self.limits.get(queue);
        let room = match self.room.get(&queue) {
            Some(room) => *room,
            None => limit.saturating_sub(ready(self.sql, queue)?),
        };
        self.room.insert(queue, room);
        Ok(if room > 0 { Ok(()) } else { Err(BrokerError::Full { queue, limit }) })
    }

    pub(crate) fn put(&mut self, message: &Message) -> rusqlite::Result<()> {
        let Message { id, generation, queue, enqueued_at, expires_at, body } = message;
        let priority = queue.priority();
        let parameters = params![priority, queue.own(), id, generation, enqueued_at, expires_at, &**body];
        let seq = self.row.insert(parameters)?;
        self.waiting.execute(params![queue, seq])?;
        self.changes.add(*queue, 1);
        if let Some(room) = self.room.get_mut(queue) {
            *room = room.saturating_sub(1);
        }
        Ok(())
    }
}

const INSERT_MESSAGE: &str =
    "INSERT INTO messages (priority, queue, id, generation, enqueued_at, expires_at, body)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const INSERT_WAITING: &str = "INSERT INTO waiting (queue, seq) VALUES (?1, ?2)";

/// Hands the first messages of a queue to a worker.
pub(super) fn take(
    write: &mut Write<'_>,
    worker: ProcessId,
    queue: Queue,
    want: usize,
) -> rusqlite::Result<Vec<Delivery>> {
    let taken = head(write, worker, queue, want, |_| true)?;
    hold(write, worker, queue, &taken)?;
    Ok(taken)
}

/// Those of a queue that wait, the oldest first.
const FRONT: &str = "waiting CROSS JOIN messages USING (seq) WHERE waiting.queue = ?1 ORDER BY seq";
/// What of those a delivery is made of: the row of a message of a class says no queue.
const WAITING: &str = "id, generation, waiting.queue, enqueued_at, expires_at, body";

/// Up to `limit` messages from the front of the queue, until one is not `wanted`. What is no message is set
/// aside first.
fn head(
    write: &mut Write<'_>,
    worker: ProcessId,
    queue: Queue,
    limit: usize,
    wanted: impl Fn(&Message) -> bool,
) -> rusqlite::Result<Vec<Delivery>> {
    let query = format!("SELECT {WAITING}, seq FROM {FRONT} LIMIT ?2");
    loop {
        let mut query = write.sql.prepare_cached(&query)?;
        let rows = query
            .query_map(params![queue, limit], |row| readable(row, "seq", |row| delivery(row, worker)))?;
        let (deliveries, unreadable) = part(rows)?;
        if unreadable.is_empty() {
            return Ok(deliveries.into_iter().take_while(|delivery| wanted(&delivery.message)).collect());
        }
        forget(write, queue, &unreadable)?;
    }
}

/// Sets aside rows that wait and are no messages.
fn forget(write: &mut Write<'_>, queue: Queue, rows: &[Value]) -> rusqlite::Result<()> {
    set_aside(write, StoredItem::Message, rows)?;
    let mut remove = write.sql.prepare_cached("DELETE FROM waiting WHERE queue = ?1 AND seq = ?2")?;
    let mut changes = Changes::default();
    for seq in rows {
        changes.add(queue, -(remove.execute(params![queue, seq])? as i64));
    }
    count(write, &changes)
}

fn delivery(row: &Row<'_>, worker: ProcessId) -> rusqlite::Result<Delivery> {
    let message = message(row)?;
    let receipt = Receipt {
        queue: message.queue,
        worker,
        id: message.id,
        generation: message.generation,
        channel: 0,
        tag: row.get(6)?,
        alive: Default::default(),
    };
    Ok(Delivery { message, receipt })
}

/// Marks what `head` has found, which is all up to its last message.
fn hold(write: &mut Write<'_>, worker: ProcessId, queue: Queue, front: &[Delivery]) -> rusqlite::Result<()> {
    let Some(last) = front.last() else { return Ok(()) };
    let hold = "INSERT INTO held (seq, owner) SELECT seq, ?3 FROM waiting WHERE queue = ?1 AND seq <= ?2";
    write.sql.prepare_cached(hold)?.execute(params![queue, last.receipt.tag, worker])?;
    leave(write, queue, front)
}

/// What `head` has found waits no more.
fn leave(write: &mut Write<'_>, queue: Queue, front: &[Delivery]) -> rusqlite::Result<()> {
    let Some(last) = front.last() else { return Ok(()) };
    let remove = "DELETE FROM waiting WHERE queue = ?1 AND seq <= ?2";
    write.sql.prepare_cached(remove)?.execute(params![queue, last.receipt.tag])?;
    let mut changes = Changes::default();
    changes.add(queue, -(front.len() as i64));
    count(write, &changes)
}

/// Takes the first messages of a queue off it, for tasks that are claimed in the same transaction: their
/// records say who has them.
pub(crate) fn take_to_claim(
    write: &mut Write<'_>,
    worker: ProcessId,
    queue: Queue,
    want: usize,
) -> rusqlite::Result<Vec<Delivery>> {
    let taken = head(write, worker, queue, want, |_| true)?;
    leave(write, queue, &taken)?;
    Ok(taken)
}

/// The messages of the tasks that a worker runs and that left their queues as they were claimed.
pub(crate) fn claimed_by(sql: &Connection, worker: ProcessId) -> rusqlite::Result<Vec<Receipt>> {
    let query = format!(
        "SELECT id, generation, {QUEUE}, message FROM tasks
         WHERE state = 2 AND owner = ?1 AND message IS NOT NULL"
    );
    let receipt = |row: &Row<'_>| {
        Ok(Receipt {
            queue: row.get(2)?,
            worker,
            id: row.get(0)?,
            generation: row.get(1)?,
            channel: 0,
            tag: row.get(3)?,
            alive: Default::default(),
        })
    };
    let mut query = sql.prepare_cached(&query)?;
    // What cannot be read is set aside by who claims or settles it.
    Ok(part(query.query_map([worker], |row| readable(row, "id", receipt))?)?.0)
}

/// In a query: the message of a receipt.
const RECEIVED: &str = "seq = ?1 AND id = ?2 AND generation = ?3";

const fn received(receipt: &Receipt) -> (u64, TaskId, u32) {
    (receipt.tag, receipt.id, receipt.generation)
}

/// Removes messages whose tasks are over, or go on with another one.
pub(crate) fn remove(sql: &Connection, receipts: &[Receipt]) -> rusqlite::Result<()> {
    let mut delete = sql.prepare_cached(&format!("DELETE FROM messages WHERE {RECEIVED}"))?;
    receipts.iter().try_for_each(|receipt| delete.execute(received(receipt)).map(drop))
}

/// Messages wait again whose tasks were released, or have lost their records. Those of tasks that are over
/// are removed, and those that another claim has are left to it.
pub(crate) fn put_back(write: &mut Write<'_>, receipts: &[Receipt]) -> rusqlite::Result<()> {
    let back = format!(
        "INSERT OR IGNORE INTO waiting (queue, seq) SELECT {QUEUE}, seq FROM messages WHERE {RECEIVED}
         AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id = ?2 AND NOT (state = 1 AND message = ?1))"
    );
    let over = "SELECT 1 FROM tasks WHERE id = ?1 AND state > 2";
    let mut changes = Changes::default();
    let mut back = write.sql.prepare_cached(&back)?;
    let mut over = write.sql.prepare_cached(over)?;
    for receipt in receipts {
        if back.execute(received(receipt))? == 1 {
            changes.add(receipt.queue, 1);
        } else if over.exists([receipt.id])? {
            remove(write.sql, std::slice::from_ref(receipt))?;
        }
    }
    count(write, &changes)
}

/// The messages of all tasks that a dead worker ran wait again. What becomes of the tasks, their next claims
/// say.
pub(super) fn reclaim_claimed(write: &mut Write<'_>, worker: ProcessId) -> rusqlite::Result<u64> {
    let back = format!(
        "INSERT OR IGNORE INTO waiting (queue, seq) SELECT {QUEUE}, seq FROM messages WHERE {RECEIVED}"
    );
    let mut changes = Changes::default();
    let mut returned = 0;
    for receipt in claimed_by(write.sql, worker)? {
        let added = write.sql.prepare_cached(&back)?.execute(received(&receipt))?;
        changes.add(receipt.queue, added as i64);
        returned += added as u64;
    }
    count(write, &changes)?;
    Ok(returned)
}

/// Numbers of removed rows are given again, so the row must also hold what the receipt is of.
const DELIVERED: &str =
    "seq = ?1 AND id = ?3 AND generation = ?4 AND EXISTS (SELECT 1 FROM held WHERE seq = ?1 AND owner = ?2)";

fn named(receipt: &Receipt) -> (u64, ProcessId, TaskId, u32) {
    (receipt.tag, receipt.worker, receipt.id, receipt.generation)
}

pub(super) fn ack(sql: &Connection, receipts: &[Receipt]) -> rusqlite::Result<()> {
    let mut delete = sql.prepare_cached(&format!("DELETE FROM messages WHERE {DELIVERED}"))?;
    let mut unhold = sql.prepare_cached(DELETE_HELD)?;
    for receipt in receipts {
        if delete.execute(named(receipt))? == 1 {
            unhold.execute([receipt.tag])?;
        }
    }
    Ok(())
}

const DELETE_HELD: &str = "DELETE FROM held WHERE seq = ?1";

pub(super) fn release(write: &mut Write<'_>, receipts: &[Receipt]) -> rusqlite::Result<()> {
    let back =
        format!("INSERT INTO waiting (queue, seq) SELECT {QUEUE}, seq FROM messages WHERE {DELIVERED}");
    let mut changes = Changes::default();
    let mut back = write.sql.prepare_cached(&back)?;
    let mut unhold = write.sql.prepare_cached(DELETE_HELD)?;
    for receipt in receipts {
        if back.execute(named(receipt))? == 1 {
            unhold.execute([receipt.tag])?;
            changes.add(receipt.queue, 1);
        }
    }
    count(write, &changes)
}

/// Releases all that a worker holds.
pub(super) fn reclaim(write: &mut Write<'_>, worker: ProcessId) -> rusqlite::Result<u64> {
    // What is held is little, all workers together: no index names its owners.
    let query =
        format!("SELECT {QUEUE}, count(*) FROM held JOIN messages USING (seq) WHERE owner = ?1 GROUP BY 1");
    let back = format!(
        "INSERT INTO waiting (queue, seq)
         SELECT {QUEUE}, seq FROM held JOIN messages USING (seq) WHERE owner = ?1"
    );
    let mut changes = Changes::default();
    let mut query = write.sql.prepare_cached(&query)?;
    let mut rows = query.query([worker])?;
    while let Some(row) = rows.next()? {
        changes.add(row.get(0)?, row.get(1)?);
    }
    let held = write.sql.prepare_cached(&back)?.execute([worker])?;
    write.sql.prepare_cached("DELETE FROM held WHERE owner = ?1")?.execute([worker])?;
    count(write, &changes)?;
    Ok(held as u64)
}

/// All that a worker holds, known to its process or not.
pub(super) fn held_by(sql: &Connection, worker: ProcessId) -> rusqlite::Result<Vec<Receipt>> {
    // What is held is little, all workers together: no index names its owners.
    let query = format!("SELECT {MESSAGE}, seq FROM held JOIN messages USING (seq) WHERE owner = ?1");
    let mut query = sql.prepare_cached(&query)?;
    let rows =
        query.query_map([worker], |row| readable(row, "seq", |row| Ok(delivery(row, worker)?.receipt)))?;
    // What cannot be read is looked at when it waits again.
    Ok(part(rows)?.0)
}

/// The queues whose first message has expired, or is none.
pub(super) fn expired(sql: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Queue>> {
    let mut query = sql.prepare_cached("SELECT queue FROM depths WHERE ready > 0")?;
    let queues: Vec<Queue> = query.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut expired = Vec::new();
    for queue in queues {
        let is_over = match first(sql, queue)? {
            First::Message { expires_at, .. } => expires_at <= now,
            First::Garbage => true,
            First::Nothing => false,
        };
        if is_over {
            expired.push(queue);
        }
    }
    Ok(expired)
}

/// Hands expired messages to `worker`, as far as they are the first of their queues.
pub(super) fn take_expired(
    write: &mut Write<'_>,
    worker: ProcessId,
    queues: &[Queue],
    limit: usize,
) -> rusqlite::Result<Vec<Delivery>> {
    let mut taken = Vec::new();
    let now = write.now;
    for queue in queues {
        let left = limit - taken.len();
        let expired = head(write, worker, *queue, left, |message| message.expires_at <= now)?;
        hold(write, worker, *queue, &expired)?;
        taken.extend(expired);
    }
    Ok(taken)
}

pub(super) fn depth(sql: &Connection, queue: Queue) -> rusqlite::Result<Depth> {
    let oldest = match first(sql, queue)? {
        First::Message { enqueued_at, .. } => Some(enqueued_at),
        First::Garbage | First::Nothing => None,
    };
    Ok(Depth { ready: ready(sql, queue)?, oldest })
}

/// What stands at the head of a queue.
enum First {
    Message { enqueued_at: Timestamp, expires_at: Timestamp },
    Garbage,
    Nothing,
}

fn first(sql: &Connection, queue: Queue) -> rusqlite::Result<First> {
    let query = format!("SELECT enqueued_at, expires_at, length(id) = 16 AS named, seq FROM {FRONT} LIMIT 1");
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let mut query = sql.prepare_cached(&query)?;
    let row = query.query_row([queue], |row| readable(row, "seq", read)).optional()?;
    Ok(match row {
        None => First::Nothing,
        Some(ControlFlow::Continue((enqueued_at, expires_at, true))) => {
            First::Message { enqueued_at, expires_at }
        }
        Some(_) => First::Garbage,
    })
}

pub(crate) fn ready(sql: &Connection, queue: Queue) -> rusqlite::Result<u64> {
    let mut query = sql.prepare_cached("SELECT ready FROM depths WHERE queue = ?1")?;
    Ok(query.query_row([queue], |row| row.get(0)).optional()?.unwrap_or_default())
}

/// Writes the depths, and wakes consumers where a queue was empty: one that waits has seen it empty.
pub(crate) fn count(write: &mut Write<'_>, changes: &Changes) -> rusqlite::Result<()> {
    let update = "INSERT INTO depths (queue, ready) VALUES (?1, ?2)
                  ON CONFLICT (queue) DO UPDATE SET ready = ready + excluded.ready RETURNING ready";
    for (queue, change) in changes.0.iter().filter(|(_, change)| *change != 0) {
        let mut update = write.sql.prepare_cached(update)?;
        let ready: i64 = update.query_row(params![queue, change], |row| row.get(0))?;
        if *change > 0 && ready == *change {
            write.rings.ring(Topic::Ready(*queue));
        }
    }
    Ok(())
}
