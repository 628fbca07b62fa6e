use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;

use clawpool_backends::{
    broker::{Broker, Condemned, Receipt},
    store::{DeadLetter, Store},
};
use clawpool_core::task::{DeadReason, ErrorClass, Failure, Timestamp, WorkerId};

/// How often the leader asks for messages that the broker gave up, and how many it takes at once.
const ROUND: Duration = Duration::from_secs(1);
const BATCH: usize = 500;

/// Holds swept messages for the leader, so that the next one finds what a dead one held.
const COLLECTOR: WorkerId = WorkerId::from_bytes([0; 16]);

/// Brings messages that the broker itself gave up (expired on their queue, delivery limit) to the dead
/// letters, until `stop`, so that nothing is dropped in silence. For the leader alone.
pub async fn collect(store: &dyn Store, broker: &dyn Broker, stop: &CancellationToken) {
    if let Err(error) = broker.reclaim(COLLECTOR).await {
        tracing::debug!(code = error.code(), %error, "what an earlier leader held will be seen later");
    }
    while stop.run_until_cancelled(time::sleep(ROUND)).await.is_some() {
        while !stop.is_cancelled() && round(store, broker).await == BATCH {}
        // What a sweep took whose answer was lost.
        if let Err(error) = broker.reconcile(COLLECTOR).await {
            tracing::debug!(code = error.code(), %error, "what is held for the collector is not known");
        }
    }
}

/// Returns how many it took.
async fn round(store: &dyn Store, broker: &dyn Broker) -> usize {
    let condemned = match broker.sweep(COLLECTOR, BATCH).await {
        Ok(condemned) => condemned,
        Err(error) => {
            tracing::debug!(code = error.code(), %error, "given-up messages wait for the broker");
            return 0;
        }
    };
    if condemned.is_empty() {
        return 0;
    }
    let letters: Vec<DeadLetter> = condemned.iter().map(letter).collect();
    let receipts: Vec<Receipt> = condemned.into_iter().map(|condemned| condemned.delivery.receipt).collect();
    let taken = receipts.len();
    let settled = match store.condemn(&letters).await {
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

fn letter(condemned: &Condemned) -> DeadLetter {
    let message = &condemned.delivery.message;
    let task = message.task().ok();
    let why = match (condemned.reason, &task) {
        (DeadReason::Expired, Some(task)) => task.lateness(),
        (reason, _) => format!("the broker gave it up: {reason}"),
    };
    let (kind, tenant) = task.map_or_else(|| ("unreadable".to_owned(), None), |task| (task.kind, task.tenant));
    DeadLetter {
        message: message.clone(),
        kind,
        tenant,
        reason: condemned.reason,
        failure: Failure::new(ErrorClass::Timeout, why),
        crashes: 0,
        died_at: Timestamp::now(),
    }
}
