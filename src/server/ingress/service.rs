//! The AMQP ingress as the dispatcher starts it.
//!
//! Guarantees: the exchange is there when the dispatcher is healthy, if RabbitMQ answers; a server that is
//! away is tried again until it answers. Never does: open anything where no lane is on RabbitMQ.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::task::IngressTask;
use clawpool_backends::{broker::rabbitmq::IngressQueue, store::Store};
use clawpool_core::{
    config::{Backend, Config, Profile},
    task::Lane,
};
use clawpool_engine::dispatch::Producer;

/// Timeout of the first try to open it: the start of the dispatcher waits that long.
const FIRST: Duration = Duration::from_secs(5);

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// Where producers that speak AMQP put their tasks.
pub(crate) struct Ingress {
    config: Arc<Config>,
    opened: Option<IngressQueue>,
}

impl Ingress {
    /// Tries once, so that the exchange is there when the dispatcher is healthy. [`Ingress::serve`] tries on.
    pub(crate) async fn open(config: Arc<Config>) -> Self {
        let opened =
            if is_wanted(&config) { timeout(FIRST, first(&config)).await.ok().flatten() } else { None };
        Self { config, opened }
    }

    /// Serves until `stop`. Where no lane is on RabbitMQ there is no ingress, and it only waits.
    pub(crate) async fn serve(self, producer: &Producer, store: &dyn Store, stop: &CancellationToken) {
        if !is_wanted(&self.config) {
            return stop.cancelled().await;
        }
        let opening = async {
            match self.opened {
                Some(opened) => opened,
                None => open(&self.config).await,
            }
        };
        if let Some(queue) = stop.run_until_cancelled(opening).await {
            let limits = self.config.limits.clone();
            IngressTask::new(queue, store, producer.clone(), limits).run(stop).await;
        }
    }
}

fn is_wanted(config: &Config) -> bool {
    let on_rabbitmq = |lane: Lane| config.lanes.backend(lane) == Backend::Rabbitmq;
    config.profile == Profile::Cluster && Lane::ALL.into_iter().any(on_rabbitmq)
}

/// An error here is not logged: the tries that follow log it.
async fn first(config: &Config) -> Option<IngressQueue> {
    let ingress = IngressQueue::open(&config.rabbitmq).await.ok()?;
    if let Err(error) = ingress.declare().await {
        tracing::debug!(code = error.code(), %error, "the AMQP ingress is not there yet");
    }
    Some(ingress)
}

async fn open(config: &Config) -> IngressQueue {
    loop {
        match IngressQueue::open(&config.rabbitmq).await {
            Ok(queue) => return queue,
            Err(error) => {
                tracing::warn!(code = error.code(), %error, "the AMQP ingress is closed; trying again")
            }
        }
        sleep(PAUSE).await;
    }
}
