//! Raises alerts about tasks that no worker serves: their queue has no worker, or none with a handler for
//! their kind. For the leader alone.

use std::{collections::HashMap, time::Duration};

use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use clawpool_backends::{
    broker::Broker,
    store::{Entry, Served, Store, StoreError},
};
use clawpool_core::task::Queue;
use clawpool_engine::alert::{Alert, Event};

/// Between two checks. A queue counts as unserved when it was so twice: a restart is no reason for an alert.
const INTERVAL: Duration = Duration::from_secs(5);
/// The same alert is repeated after this.
const QUIET: Duration = Duration::from_secs(3600);

pub(super) async fn watch(store: &dyn Store, broker: &dyn Broker, stop: &CancellationToken) {
    let mut watch = Watch::default();
    while stop.run_until_cancelled(time::sleep(INTERVAL)).await.is_some() {
        if let Err(error) = watch.check(store, broker).await {
            tracing::debug!(code = error.code(), %error, "whether every task is served is checked later");
        }
    }
}

#[derive(Default)]
struct Watch {
    /// Queues with tasks and without a worker at the last check.
    unserved: Vec<Queue>,
    /// When each alert was raised, by queue and kind; forgotten when it is over.
    alerted: HashMap<(Queue, Option<String>), Instant>,
}

impl Watch {
    async fn check(&mut self, store: &dyn Store, broker: &dyn Broker) -> Result<(), StoreError> {
        let served = Served::by(&store.workers().await?);
        let queues = used(store).await?;
        let unserved = waiting(&served, &queues, broker).await;
        let twice = unserved.iter().filter(|queue| self.unserved.contains(queue)).map(|queue| (*queue, None));
        let kinds = queues.iter().copied().flat_map(|queue| {
            served.unhandled(queue).map(move |kind| (queue, Some(kind.to_owned()))).collect::<Vec<_>>()
        });
        let faults: Vec<_> = twice.chain(kinds).collect();
        self.unserved = unserved;
        self.alerted.retain(|fault, at| faults.contains(fault) && at.elapsed() < QUIET);
        let news: Vec<_> = faults.into_iter().filter(|fault| !self.alerted.contains_key(fault)).collect();
        if !news.is_empty() {
            store.append(None, &news.iter().map(alert).collect::<Vec<_>>()).await?;
            self.alerted.extend(news.into_iter().map(|fault| (fault, Instant::now())));
        }
        Ok(())
    }
}

/// The queues that have had a task.
async fn used(store: &dyn Store) -> Result<Vec<Queue>, StoreError> {
    let totals = store.totals().await?;
    let own = totals.into_keys().filter(|queue| !queue.is_class());
    Ok(Queue::CLASSES.into_iter().chain(own).collect())
}

/// Queues with tasks that no worker takes any from.
async fn waiting(served: &Served, queues: &[Queue], broker: &dyn Broker) -> Vec<Queue> {
    let mut waiting = Vec::new();
    for queue in queues.iter().filter(|queue| served.workers(**queue) == 0) {
        if broker.depth(*queue).await.is_ok_and(|depth| depth.ready > 0) {
            waiting.push(*queue);
        }
    }
    waiting
}

fn alert((queue, kind): &(Queue, Option<String>)) -> Entry {
    let (event, text) = match kind {
        None => (Event::Unserved, format!("tasks wait on {queue}, and no live worker serves it")),
        Some(kind) => (
            Event::NoHandler,
            format!("tasks of {kind:?} wait: no live worker of {queue} has a handler for them"),
        ),
    };
    tracing::error!(code = event.code(), "{text}");
    Alert::new(event, text).entry(&queue.to_string())
}
