use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::{
    broker::Broker,
    store::{Fence, Store, StoreError},
    task::{Message, TaskId, Timestamp},
};

/// Entries read, published and removed in one round.
const BATCH: usize = 500;

/// Moves due tasks to their queues until `stop`. For the leader alone; a fence that is out of date ends it.
pub async fn promote(store: &dyn Store, broker: &dyn Broker, fence: Fence, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let pause = match round(store, broker, fence, stop).await {
            Ok(pause) => pause,
            Err(StoreError::Fenced { .. }) => return,
            Err(error) => {
                tracing::warn!(code = error.code(), %error, "due tasks wait for the store");
                Duration::from_millis(500)
            }
        };
        if !pause.is_zero() {
            stop.run_until_cancelled(time::sleep(pause)).await;
        }
    }
}

/// One batch; waits for it to be due. Returns how long to pause before the next.
async fn round(
    store: &dyn Store,
    broker: &dyn Broker,
    fence: Fence,
    stop: &CancellationToken,
) -> Result<Duration, StoreError> {
    let due = store.due(fence, BATCH).await?;
    if due.messages.is_empty() {
        tokio::select! {
            waited = store.wait_due(due.next) => waited?,
            () = stop.cancelled() => {}
        }
        return Ok(Duration::ZERO);
    }
    let (published, refused) = publish(broker, due.messages).await;
    store.promoted(fence, &published).await?;
    // A full queue or a broker that is away: the entries stay, and the others must not wait in a busy loop for them.
    Ok(if refused == 0 { Duration::ZERO } else { Duration::from_millis(500) })
}

async fn publish(broker: &dyn Broker, messages: Vec<Message>) -> (Vec<(TaskId, u32)>, usize) {
    let keys: Vec<(TaskId, u32)> = messages.iter().map(|message| (message.id, message.generation)).collect();
    let now = Timestamp::now();
    let expired = messages.iter().filter(|message| message.expires_at <= now).count();
    if expired > 0 {
        tracing::debug!(expired, "overdue entries go to their queues, where they are dead-lettered");
    }
    let answers = broker.publish(messages).await;
    let mut published = Vec::with_capacity(keys.len());
    for (key, answer) in keys.iter().zip(&answers) {
        match answer {
            Ok(()) => published.push(*key),
            Err(error) => {
                tracing::warn!(code = error.code(), %error, id = %key.0, "a due task stays in the schedule set")
            }
        }
    }
    let refused = keys.len() - published.len();
    (published, refused)
}
