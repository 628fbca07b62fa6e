use std::{fmt::Display, time::Duration};

use futures::future::join_all;
use tokio::time::timeout;

use crate::autoscale::Plan;
use clawpool_backends::{
    broker::{Broker, Depth},
    store::{ControlStore, Totals, WorkerInfo, WorkerStore},
};
use clawpool_core::task::{ProcessId, Queue, Timestamp};

/// A server that has not answered by then counts as silent.
const PATIENCE: Duration = Duration::from_secs(3);

/// What broker and store said when they were last asked.
#[derive(Clone, Debug)]
pub struct Facts {
    /// By the wall clock, which is what ages of tasks are counted in.
    pub at: Timestamp,
    /// Of the pool's queues. Absent when one of them did not answer.
    pub depths: Option<Vec<(Queue, Depth)>>,
    pub totals: Option<Totals>,
    /// Of all pools.
    pub workers: Option<Vec<WorkerInfo>>,
    /// Which server did not answer, and why.
    pub unanswered: Option<String>,
}

impl Facts {
    pub async fn gather<S>(broker: &dyn Broker, store: &S, plan: &Plan) -> Self
    where
        S: ControlStore + WorkerStore + ?Sized,
    {
        let (totals, workers) =
            tokio::join!(answer_within_patience(store.totals()), answer_within_patience(store.workers()));
        // A queue of a user's own is empty until it is counted.
        let own = totals.iter().flat_map(Totals::keys).copied().filter(|queue| !queue.is_class());
        let queues = Queue::CLASSES.into_iter().chain(own).filter(|queue| plan.serves(*queue));
        let depth = async |queue: Queue| {
            answer_within_patience(broker.depth(queue)).await.map(|depth| (queue, depth))
        };
        let depths = join_all(queues.map(depth)).await;
        let depths: Result<Vec<(Queue, Depth)>, String> = depths.into_iter().collect();
        let broker = depths.as_ref().err().map(|reason| format!("the broker: {reason}"));
        let store =
            totals.as_ref().err().or(workers.as_ref().err()).map(|reason| format!("the store: {reason}"));
        Self {
            at: Timestamp::now(),
            depths: depths.ok(),
            totals: totals.ok(),
            workers: workers.ok(),
            unanswered: broker.into_iter().chain(store).reduce(|broker, store| format!("{broker}; {store}")),
        }
    }

    /// The registry shows a worker that has ended until its lease is ended. It would be counted beside its
    /// successor, and the pool made smaller for it.
    pub fn remove_ended(&mut self, has_ended: impl Fn(ProcessId) -> bool) {
        if let Some(workers) = &mut self.workers {
            workers.retain(|worker| !has_ended(worker.beat.worker));
        }
    }
}

async fn answer_within_patience<T, E: Display>(
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
    }
}
