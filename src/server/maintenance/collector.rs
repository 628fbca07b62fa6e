use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;

use clawpool_backends::{
    broker::{Broker, DeadLettered, Receipt},
    store::{DeadLetter, Store},
};
use clawpool_core::task::{DeadReason, ErrorClass, Failure, ProcessId, Timestamp};

/// How often the leader asks for messages that the broker gave up, and how many it takes at once.
const ROUND: Duration = Duration::from_secs(1);
const BATCH: usize = 500;

/// Holds dead-lettered messages for the process that leads, so that the next leader finds what a dead one
/// held.
const COLLECTOR: ProcessId = ProcessId::from_bytes([0; 16]);

/// Brings messages that the broker itself gave up (expired on their queue, delivery limit) to the dead
/// letters, until `stop`, so that nothing is dropped in silence. For the leader alone.
pub(super) async fn collect(store: &dyn Store, broker: &dyn Broker, stop: &CancellationToken) {
    if let Err(error) = broker.reclaim(COLLECTOR).await {
        tracing::debug!(code = error.code(), %error, "what an earlier leader held will be seen later");
    }
    while stop.run_until_cancelled(time::sleep(ROUND)).await.is_some() {
        while !stop.is_cancelled() && round(store, broker).await == BATCH {}
        // Messages that were taken in an answer that was lost.
        if let Err(error) = broker.reconcile(COLLECTOR).await {
            tracing::debug!(code = error.code(), %error, "what is held for the collector is not known");
        }
    }
}

/// Returns how many it took.
async fn round(store: &dyn Store, broker: &dyn Broker) -> usize {
    let dead_lettered = match broker.take_dead_lettered(COLLECTOR, BATCH).await {
        Ok(dead_lettered) => dead_lettered,
        Err(error) => {
            tracing::debug!(code = error.code(), %error, "given-up messages wait for the broker");
            return 0;
        }
    };
    if dead_lettered.is_empty() {
        return 0;
    }
    let letters: Vec<DeadLetter> = dead_lettered.iter().map(letter).collect();
    let receipts: Vec<Receipt> = dead_lettered.into_iter().map(|message| message.delivery.receipt).collect();
    let taken = receipts.len();
    let settled = match store.add_dead_letters(&letters).await {
        Ok(()) => broker.ack(receipts).await,
        Err(error) => {
            tracing::warn!(code = error.code(), %error, taken, "given-up messages wait for the store");
            broker.release(receipts).await
        }
    };
    if let Err(error) = settled {
        tracing::debug!(code = error.code(), %error, "given-up messages will be seen again");
    }
    taken
}

fn letter(dead_lettered: &DeadLettered) -> DeadLetter {
    let message = &dead_lettered.delivery.message;
    let task = message.task().ok();
    let why = match (dead_lettered.reason, &task) {
        (DeadReason::Expired, Some(task)) => task.lateness(),
        (reason, _) => format!("the broker gave it up: {reason}"),
    };
    let (kind, tenant) =
        task.map_or_else(|| ("unreadable".to_owned(), None), |task| (task.kind, task.tenant));
    DeadLetter {
        message: message.clone(),
        kind,
        tenant,
        reason: dead_lettered.reason,
        failure: Failure::new(ErrorClass::Timeout, why),
        crashes: 0,
        died_at: Timestamp::now(),
    }
}
