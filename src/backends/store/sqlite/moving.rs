//! Tasks that pass to another queue.

use rusqlite::{OptionalExtension, params};

use super::{entries, tally::Tally, withdrawal::KNOWN};
use crate::backend::sqlite::{QUEUE, Write};
use clawpool_core::task::{Message, Queue, State, TaskId, Timestamp};

/// One answer each: false where the task does not wait on a queue at this generation.
pub(super) fn move_to(
    write: &mut Write<'_>,
    messages: &[Message],
    queue: Queue,
) -> rusqlite::Result<Vec<bool>> {
    let mut tally = Tally::default();
    let mut answers = Vec::with_capacity(messages.len());
    for Message { id, generation, .. } in messages {
        let query = format!("SELECT {QUEUE} FROM tasks WHERE id = ?1 AND generation = ?2 AND state = 1");
        let mut query = write.sql.prepare_cached(&query)?;
        let before: Option<Queue> = query.query_row(params![id, generation], |row| row.get(0)).optional()?;
        answers.push(before.is_some());
        let Some(before) = before else { continue };
        let update = "UPDATE tasks SET priority = ?2, queue = ?3 WHERE id = ?1";
        write.sql.prepare_cached(update)?.execute(params![id, queue.priority(), queue.own()])?;
        tally.of(before).enqueued -= 1;
        tally.of(queue).enqueued += 1;
    }
    tally.write(write)?;
    Ok(answers)
}

/// Each message is its task's next generation, for the queue that the task is to wait on. One answer each:
/// false where the task does not wait at the generation before.
pub(super) fn reroute(write: &mut Write<'_>, messages: &[Message]) -> rusqlite::Result<Vec<bool>> {
    let mut tally = Tally::default();
    let mut answers = Vec::with_capacity(messages.len());
    for message in messages {
        let Message { id, generation, queue, .. } = message;
        let before = generation.checked_sub(1);
        let waits = before.map(|before| waiting(write, *id, before)).transpose()?.flatten();
        answers.push(waits.is_some());
        let (Some((from, at)), Some(before)) = (waits, before) else { continue };
        let update = "UPDATE tasks SET state = 0, generation = ?2, priority = ?3, queue = ?4 WHERE id = ?1";
        write.sql.prepare_cached(update)?.execute(params![id, generation, queue.priority(), queue.own()])?;
        entries::remove(write.sql, *id, before)?;
        entries::put(write, message, at)?;
        tally.of(from).enqueued -= 1;
        tally.of(*queue).enqueued += 1;
    }
    tally.write(write)?;
    Ok(answers)
}

/// Where a task waits, and when it is due. None where it does not wait, or its entry is gone.
fn waiting(write: &Write<'_>, id: TaskId, generation: u32) -> rusqlite::Result<Option<(Queue, Timestamp)>> {
    let query = format!(
        "SELECT {QUEUE}, state, (SELECT at FROM schedule WHERE schedule.id = tasks.id
                                 AND schedule.generation = tasks.generation)
         FROM tasks WHERE id = ?1 AND generation = ?2 AND state < 2 AND {KNOWN}"
    );
    let mut query = write.sql.prepare_cached(&query)?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let found: Option<(Queue, State, Option<Timestamp>)> =
        query.query_row(params![id, generation], row).optional()?;
    Ok(found.and_then(|(queue, state, at)| match state {
        State::Queued => Some((queue, write.now)),
        _ => at.map(|at| (queue, at)),
    }))
}
