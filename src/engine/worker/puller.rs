use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{self, Instant},
};

use super::{engine::Event, pacer::Pacers, questions::Calls, troubles::Troubles};
use clawpool_backends::{
    path::{Attempt, Path, PathError, Source, Taken, TakenTask, Wants},
    store::End,
};
use clawpool_core::{
    retry::{Backoff, Waits},
    task::{ProcessId, Queue},
};

/// Work goes on within a second of a server's return.
const BACKOFF: Backoff = Backoff::millis::<50, 500>();

/// What the engine wants of a source now. A turn is answered with tasks once; until then its wants may
/// change.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    pub turn: u64,
    pub wants: Wants,
}

/// Tasks that a source brought.
pub(super) struct Batch {
    pub source: usize,
    /// The number of the call that brought them.
    pub call: u64,
    pub tasks: Vec<TakenTask>,
    /// Fewer than were wanted: no more are ready.
    pub is_all: bool,
    pub took: Duration,
}

/// Takes tasks from one source as the engine orders them. A call to the servers is never dropped half way.
pub(super) struct Puller {
    pub worker: ProcessId,
    pub number: usize,
    pub path: Arc<dyn Path>,
    pub source: Box<dyn Source>,
    /// Closed: the worker leaves.
    pub order: watch::Receiver<Order>,
    pub events: mpsc::Sender<Event>,
    pub calls: Arc<Calls>,
    pub hold: Duration,
    pub troubles: Troubles,
    pub pacers: Pacers,
    pub waits: Waits,
}

/// The engine is gone, or takes nothing more.
struct Closed;

impl Puller {
    pub const WAITS: Waits = BACKOFF.waits();

    pub async fn run(mut self) {
        let mut answered = 0;
        while let Ok(turn) = self.next_turn(answered).await {
            if self.serve().await.is_err() {
                break;
            }
            answered = turn;
        }
        self.source.close().await;
    }

    /// Waits for a turn in which something is wanted. After `hold` without, what was fetched ahead goes back.
    async fn next_turn(&mut self, answered: u64) -> Result<u64, Closed> {
        let is_next = |order: &Order| order.turn > answered && order.wants.any();
        if let Ok(order) = time::timeout(self.hold, self.order.wait_for(is_next)).await {
            return order.map(|order| order.turn).map_err(|_| Closed);
        }
        self.source.rest().await;
        self.order.wait_for(is_next).await.map(|order| order.turn).map_err(|_| Closed)
    }

    /// Answers one turn with at least one task.
    async fn serve(&mut self) -> Result<(), Closed> {
        let mut told = false;
        loop {
            let mut wants = self.order.borrow_and_update().wants.clone();
            if !wants.any() {
                self.wait_for_wants().await?;
                continue;
            }
            let paced_until = self.pacers.limit(&mut wants);
            match self.take(&wants).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    if !std::mem::replace(&mut told, true) {
                        self.send(Event::Idle(self.number)).await?;
                    }
                    self.wait(&wants, paced_until).await?;
                }
                Err(error) => self.pause_after(&error).await?,
            }
        }
    }

    async fn wait_for_wants(&mut self) -> Result<(), Closed> {
        let any = |order: &Order| order.wants.any();
        if let Ok(order) = time::timeout(self.hold, self.order.wait_for(any)).await {
            return order.map(drop).map_err(|_| Closed);
        }
        self.source.rest().await;
        self.order.wait_for(any).await.map(drop).map_err(|_| Closed)
    }

    /// Whether there was something.
    async fn take(&mut self, wants: &Wants) -> Result<bool, PathError> {
        let call = self.calls.begin();
        let since = Instant::now();
        let taken = self.source.take(wants).await;
        let took = since.elapsed();
        let tasks = match taken {
            Ok(taken) => self.allowed(taken, wants).await,
            Err(error) => {
                self.calls.end(call);
                return Err(error);
            }
        };
        self.waits.reset();
        if tasks.is_empty() {
            self.calls.end(call);
            return Ok(false);
        }
        let is_all = tasks.len() < wants.total;
        let batch = Batch { source: self.number, call, tasks, is_all, took };
        if let Err(mpsc::error::SendError(Event::Taken(batch))) = self.events.send(Event::Taken(batch)).await
        {
            self.calls.end(call);
            release(&*self.path, self.worker, batch.tasks).await;
        }
        Ok(true)
    }

    /// Tells of what is wrong, and gives back what the pace does not allow now.
    async fn allowed(&mut self, taken: Taken, wants: &Wants) -> Vec<TakenTask> {
        for (queue, error) in taken.troubles {
            self.troubles.tell(queue, &error).await;
        }
        let mut tasks = taken.tasks;
        let surplus = self.pacers.pace(&mut tasks).await;
        release(&*self.path, self.worker, surplus).await;
        debug_assert!(tasks.len() <= wants.total);
        tasks
    }

    /// Until a take may find something, more is wanted, or the pace allows it.
    async fn wait(&mut self, wants: &Wants, paced_until: Option<Instant>) -> Result<(), Closed> {
        let mut order = self.order.clone();
        let ready = tokio::select! {
            biased;
            changed = more_wanted(&mut order, wants) => return changed,
            ready = self.source.ready(wants) => ready,
            () = super::engine::alarm(paced_until) => Ok(()),
        };
        match ready {
            Ok(()) => Ok(()),
            Err(error) => self.pause_after(&error).await,
        }
    }

    async fn pause_after(&mut self, error: &PathError) -> Result<(), Closed> {
        let queues: Vec<Queue> = self.order.borrow().wants.queues.iter().map(|want| want.queue).collect();
        if let Some(queue) = queues.first() {
            self.troubles.tell(*queue, error).await;
        }
        let pause = self.waits.after_failure();
        tokio::select! {
            () = time::sleep(pause) => Ok(()),
            () = closed(&mut self.order) => Err(Closed),
        }
    }

    async fn send(&mut self, event: Event) -> Result<(), Closed> {
        self.events.send(event).await.map_err(|_| Closed)
    }
}

/// Until a queue is wanted that was not, or one is paused, or nothing is wanted any more. That more or fewer
/// tasks of the same queues are wanted need not wake anything: the next take knows.
async fn more_wanted(order: &mut watch::Receiver<Order>, wants: &Wants) -> Result<(), Closed> {
    let differs = |order: &Order| {
        let now = &order.wants;
        let is_new = now.queues.iter().any(|want| now.of(want.queue) > 0 && wants.of(want.queue) == 0);
        let is_paused = wants.queues.iter().any(|want| !now.names(want.queue));
        is_new || is_paused || !now.any()
    };
    order.wait_for(differs).await.map(drop).map_err(|_| Closed)
}

async fn closed(order: &mut watch::Receiver<Order>) {
    while order.changed().await.is_ok() {}
}

/// Gives tasks back as if they had never been taken.
pub(super) async fn release(path: &dyn Path, worker: ProcessId, tasks: Vec<TakenTask>) {
    if tasks.is_empty() {
        return;
    }
    let attempt = |task: TakenTask| Attempt::uncounted(task.claimed, task.receipt, End::Released);
    let attempts: Vec<Attempt> = tasks.into_iter().map(attempt).collect();
    if let Err(error) = path.finish(worker, &attempts).await {
        tracing::debug!(code = error.code(), %error, "claims could not be given back; the leader sees it");
    }
}
