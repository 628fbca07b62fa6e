use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use clawpool_backends::broker::Broker;
use clawpool_core::task::ProcessId;

/// How often what the worker holds is compared with what it knows of.
const ROUND: Duration = Duration::from_secs(1);

/// Sends back whatever the broker counts as this worker's and the worker does not know of, such as the
/// messages of a fetch whose answer was lost: they would lie with a worker that lives and never runs them.
/// Until it is dropped.
pub(super) async fn reconcile(worker: ProcessId, broker: Arc<dyn Broker>) {
    loop {
        sleep(ROUND).await;
        match broker.reconcile(worker).await {
            Ok(0) => {}
            Ok(messages) => {
                tracing::warn!(messages, "messages that this worker did not know of are back on their queues")
            }
            Err(error) => tracing::debug!(code = error.code(), %error, "what the worker holds is not known"),
        }
    }
}
