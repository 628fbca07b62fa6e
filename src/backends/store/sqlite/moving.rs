//! Tasks that pass to another queue.

use rusqlite::{OptionalExtension, params};

use super::tally::Tally;
use crate::backend::sqlite::{QUEUE, Write};
use clawpool_core::task::{Message, Queue};

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
