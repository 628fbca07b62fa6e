//! How this worker lets go of messages: acknowledged, or back on their queues.
//!
//! Guarantees: none is lost when the broker does not answer. An acknowledgement that got lost lets the
//! message come again, and its claim says what became of the task; what could not be given back is found when
//! the broker's count of what this worker holds is compared. Never does: try again.

use clawpool_backends::broker::{Broker, Receipt};

pub(super) async fn acknowledge(broker: &dyn Broker, receipts: Vec<Receipt>) {
    if receipts.is_empty() {
        return;
    }
    if let Err(error) = broker.ack(receipts).await {
        let code = error.code();
        tracing::debug!(code, %error, "acknowledgements were lost; messages that return are dropped");
    }
}

pub(super) async fn give_back(broker: &dyn Broker, receipts: Vec<Receipt>) {
    if receipts.is_empty() {
        return;
    }
    if let Err(error) = broker.release(receipts).await {
        tracing::debug!(code = error.code(), %error, "tasks could not be given back; the broker will notice");
    }
}
