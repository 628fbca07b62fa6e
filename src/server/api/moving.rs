//! Moving what waits on one queue to another one.
//!
//! Guarantees: a task is on one of the two at each moment; a crash leaves at most a message too many, which
//! its claim drops. Never does: touch what runs, or what is due later.

use std::time::Duration;

use tokio::time::timeout;

use super::error::ApiError;
use clawpool_backends::{
    broker::{Broker, Delivery, Receipt},
    store::Store,
};
use clawpool_core::task::{Message, ProcessId, Queue};

/// Tasks moved by one call.
const MOST: usize = 500;
/// Nothing came for so long: nothing waits.
const QUIET: Duration = Duration::from_millis(200);

/// Moves some of the tasks that wait on a queue.
pub(super) async fn some(
    broker: &dyn Broker,
    store: &dyn Store,
    from: Queue,
    to: Queue,
) -> Result<(), ApiError> {
    let mut consumer = broker.consume(ProcessId::new(), from).await?;
    let mut left = MOST;
    while left > 0
        && let Ok(taken) = timeout(QUIET, consumer.next(left)).await
    {
        let taken = taken?;
        left -= taken.len().min(left);
        batch(broker, store, taken, to).await?;
    }
    consumer.pause().await?;
    Ok(())
}

async fn batch(
    broker: &dyn Broker,
    store: &dyn Store,
    taken: Vec<Delivery>,
    to: Queue,
) -> Result<(), ApiError> {
    let messages: Vec<Message> = taken.iter().map(|delivery| delivery.message.clone()).collect();
    let receipts: Vec<Receipt> = taken.into_iter().map(|delivery| delivery.receipt).collect();
    let Ok(moved) = store.move_to(&messages, to).await else {
        broker.release(receipts).await?;
        return Ok(());
    };
    let mut published = Vec::new();
    let mut leaving = Vec::new();
    let mut staying = Vec::new();
    for ((message, receipt), moved) in messages.iter().zip(receipts).zip(moved) {
        match renamed(message, to).filter(|_| moved) {
            Some(message) => {
                published.push(message);
                leaving.push(receipt);
            }
            // A dead worker's, or one that is over: whoever takes it knows.
            None => staying.push(receipt),
        }
    }
    let answers = broker.publish(published).await;
    let mut gone = Vec::new();
    for (receipt, answer) in leaving.into_iter().zip(answers) {
        match answer {
            Ok(()) => gone.push(receipt),
            Err(_) => staying.push(receipt),
        }
    }
    broker.ack(gone).await?;
    broker.release(staying).await?;
    Ok(())
}

/// The same message for another queue.
fn renamed(message: &Message, to: Queue) -> Option<Message> {
    let mut task = message.task().ok()?;
    task.priority = to.priority();
    task.queue = to.own();
    task.to_message().ok()
}
