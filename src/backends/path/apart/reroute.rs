//! Sending waiting tasks to other queues, by hand.
//!
//! Guarantees: a task is in the schedule set or on a queue at each moment (INV-1), since record and
//! message change in one step of the store and the promoter brings the message to its queue; what is left
//! on the old queue is of an older generation, and is dropped at its claim (INV-2). Never does: touch what
//! runs, or take messages off a broker.

use futures::{StreamExt, TryStreamExt, stream};

use super::find::missing;
use crate::{
    broker::Broker,
    path::PathError,
    store::{Record, Store},
};
use clawpool_core::task::{Message, Queue, State};

/// Questions to the store that are on their way at once.
const QUESTIONS: usize = 32;

/// What became of tasks that were to go to another queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rerouted {
    /// On their way to it.
    pub moved: u64,
    /// There already, running, or over.
    pub skipped: u64,
    /// They wait on a queue whose messages cannot be read, or their messages were not found.
    pub hidden: u64,
}

impl std::ops::AddAssign for Rerouted {
    fn add_assign(&mut self, other: Self) {
        self.moved += other.moved;
        self.skipped += other.skipped;
        self.hidden += other.hidden;
    }
}

/// Sends those of the tasks that wait to a queue; in a dry run only says of how many it would.
pub async fn reroute(
    store: &dyn Store,
    broker: &dyn Broker,
    records: &[Record],
    to: Queue,
    dry_run: bool,
) -> Result<Rerouted, PathError> {
    let mut done = Rerouted::default();
    let mut waiting = Vec::new();
    for record in records {
        match record.state {
            State::Queued | State::Scheduled if record.queue == to => done.skipped += 1,
            State::Queued if !broker.can_peek(record.queue) => done.hidden += 1,
            State::Queued | State::Scheduled => waiting.push(record),
            _ => done.skipped += 1,
        }
    }
    if dry_run {
        done.moved += waiting.len() as u64;
        return Ok(done);
    }
    let mut next = Vec::new();
    for (record, message) in waiting.iter().zip(messages(store, broker, &waiting).await?) {
        match message.and_then(|message| next_generation(&message, to)) {
            Some(message) => next.push(message),
            None if waits_still(store, record).await? => done.hidden += 1,
            None => done.skipped += 1,
        }
    }
    for moved in store.reroute(&next).await? {
        *if moved { &mut done.moved } else { &mut done.skipped } += 1;
    }
    Ok(done)
}

/// One of each, where it can be had.
async fn messages(
    store: &dyn Store,
    broker: &dyn Broker,
    waiting: &[&Record],
) -> Result<Vec<Option<Message>>, PathError> {
    let queued = waiting.iter().filter(|record| record.state == State::Queued);
    let wanted: Vec<_> = queued.map(|record| (missing(record), record.enqueued_at)).collect();
    let mut peeked = broker.peek_all(&wanted).await?.into_iter();
    let found = waiting.iter().map(|record| {
        let peeked = if record.state == State::Queued { peeked.next().flatten() } else { None };
        let (id, generation) = (record.id, record.generation);
        async move {
            match peeked {
                // It may wait in the schedule set for a worker that runs it no more.
                None => store.entry(id, generation).await,
                peeked => Ok(peeked),
            }
        }
    });
    Ok(stream::iter(found.collect::<Vec<_>>()).buffered(QUESTIONS).try_collect().await?)
}

/// Whether nothing became of a task since its record was read.
async fn waits_still(store: &dyn Store, before: &Record) -> Result<bool, PathError> {
    let now = store.record(before.id).await?;
    Ok(now.is_some_and(|now| now.state == before.state && now.generation == before.generation))
}

/// The same task for another queue. What is no task cannot go anywhere.
fn next_generation(message: &Message, to: Queue) -> Option<Message> {
    let mut task = message.task().ok()?;
    task.generation += 1;
    task.priority = to.priority();
    task.queue = to.own();
    task.to_message().ok()
}
