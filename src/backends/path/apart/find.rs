//! Where the message of one task is.

use crate::{
    broker::{Broker, Found, Missing},
    path::PathError,
    store::{Record, Store, StoreError},
};
use clawpool_core::task::{Message, ProcessId, State};

/// Looks for the message of one task now. `None` where it needs none: the task is over, or a living worker
/// runs it, or the schedule set has it.
pub async fn find(
    store: &dyn Store,
    broker: &dyn Broker,
    record: &Record,
) -> Result<Option<Found>, PathError> {
    if record.state == State::Scheduled && record.due_at.is_none() {
        return Ok(Some(Found::Gone));
    }
    if !matches!(record.state, State::Queued | State::Running) {
        return Ok(None);
    }
    let live = live_workers(store).await?;
    if record.state == State::Running && record.worker.is_some_and(|worker| live.contains(&worker)) {
        return Ok(None);
    }
    Ok(broker.restore(&[missing(record)], &live).await?.pop())
}

/// The message of a task, where it can be had: of one that waits or runs on a broker whose queues can be
/// read, and of one in the schedule set.
pub async fn peek(
    store: &dyn Store,
    broker: &dyn Broker,
    record: &Record,
) -> Result<Option<Message>, PathError> {
    let wanted = missing(record);
    Ok(match record.state {
        State::Scheduled => store.entry(record.id, record.generation).await?,
        State::Queued | State::Running => match broker.peek(wanted, record.enqueued_at).await? {
            // On its way through the schedule set, until it may start beside nothing else.
            None => store.entry(record.id, record.generation).await?,
            found => found,
        },
        State::Completed | State::Cancelled | State::Dead => None,
    })
}

/// The message that a record speaks of.
pub(super) const fn missing(record: &Record) -> Missing {
    Missing { id: record.id, generation: record.generation, queue: record.queue }
}

/// The workers that are heard from.
pub async fn live_workers(store: &dyn Store) -> Result<Vec<ProcessId>, StoreError> {
    let workers = store.workers().await?;
    Ok(workers.into_iter().filter(|worker| worker.alive).map(|worker| worker.beat.worker).collect())
}
