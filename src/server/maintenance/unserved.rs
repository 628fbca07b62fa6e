//! Tells people of tasks that wait for nobody: their queue has no worker, or no worker of it has a handler for their kind.
//! For the leader alone.

use std::{collections::HashMap, time::Duration};

use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use clawpool_backends::{
    broker::Broker,
    store::{Entry, Served, Store, StoreError},
};
use clawpool_core::task::Queue;
use clawpool_engine::alert::{Alert, Event};

/// Between two looks. A queue counts as left when it was so twice: a restart is none of anybody's business.
const ROUND: Duration = Duration::from_secs(5);
/// People are told of the same again after this.
const QUIET: Duration = Duration::from_secs(3600);

pub(super) async fn watch(store: &dyn Store, broker: &dyn Broker, stop: &CancellationToken) {
    let mut watch = Watch::default();
    while stop.run_until_cancelled(time::sleep(ROUND)).await.is_some() {
        if let Err(error) = watch.look(store, broker).await {
            tracing::debug!(code = error.code(), %error, "whether every task has somebody is seen later");
        }
    }
}

#[derive(Default)]
struct Watch {
    /// Queues with tasks and without a worker at the last look.
    left: Vec<Queue>,
    /// What people were told of, by queue and kind, and when; forgotten when it is over.
    told: HashMap<(Queue, Option<String>), Instant>,
}

impl Watch {
    async fn look(&mut self, store: &dyn Store, broker: &dyn Broker) -> Result<(), StoreError> {
        let served = Served::by(&store.workers().await?);
        let left = waiting(&served, broker).await;
        let twice = left.iter().filter(|queue| self.left.contains(queue)).map(|queue| (*queue, None));
        let kinds = Queue::ALL.into_iter().flat_map(|queue| {
            served.unhandled(queue).map(move |kind| (queue, Some(kind.to_owned()))).collect::<Vec<_>>()
        });
        let faults: Vec<_> = twice.chain(kinds).collect();
        self.left = left;
        self.told.retain(|fault, at| faults.contains(fault) && at.elapsed() < QUIET);
        let news: Vec<_> = faults.into_iter().filter(|fault| !self.told.contains_key(fault)).collect();
        if !news.is_empty() {
            store.append(None, &news.iter().map(alert).collect::<Vec<_>>()).await?;
            self.told.extend(news.into_iter().map(|fault| (fault, Instant::now())));
        }
        Ok(())
    }
}

/// Queues with tasks that no worker takes any from.
async fn waiting(served: &Served, broker: &dyn Broker) -> Vec<Queue> {
    let mut waiting = Vec::new();
    for queue in Queue::ALL.into_iter().filter(|queue| served.workers(*queue) == 0) {
        if broker.depth(queue).await.is_ok_and(|depth| depth.ready > 0) {
            waiting.push(queue);
        }
    }
    waiting
}

fn alert((queue, kind): &(Queue, Option<String>)) -> Entry {
    let (event, text) = match kind {
        None => (Event::Unserved, format!("tasks wait on {queue}, and no live worker serves it")),
        Some(kind) => {
            (Event::NoHandler, format!("tasks of {kind:?} wait: no live worker of {queue} has a handler for them"))
        }
    };
    tracing::error!(code = event.code(), "{text}");
    Alert::new(event, text).entry(&queue.to_string())
}
