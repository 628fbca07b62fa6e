use std::sync::Arc;

use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Arbiter, Progress, Registry, WorkerError,
    demand::SourceOrders,
    engine::{Engine, Event},
    heartbeat::{Heartbeat, Vitals},
    pacer::Pacer,
    puller::{self, Order, Puller},
    questions::Calls,
    reconcile::reconcile,
    settle::{Outcomes, Settler},
    slots::Slots,
    stop::Phase,
    throttle::Throttle,
    throughput::Throughput,
    troubles::Troubles,
};
use crate::process::Shutdown;
use clawpool_backends::{
    path::Servers,
    path::{Path, Taker},
    servers,
    store::{Beat, Store},
};
use clawpool_core::{
    config::Config,
    retry,
    task::{ProcessId, Queue, Timestamp},
};

/// The parts of a running worker, put together and taken apart in order.
pub(super) struct Parts {
    pub id: ProcessId,
    pub engine: Engine,
    pub events: mpsc::Receiver<Event>,
    pub heartbeat: Heartbeat,
    /// Fires when a puller or the settler ends, which none does by itself.
    pub broken: CancellationToken,
    reconciler: AbortOnDropHandle<()>,
    pullers: JoinSet<()>,
    settler: JoinHandle<()>,
    path: Arc<dyn Path>,
}

impl Parts {
    /// Connects, registers the worker and starts everything around the engine.
    pub async fn assemble(
        config: &Config,
        registry: Registry,
        id: ProcessId,
        pool: String,
        stop: &CancellationToken,
    ) -> Result<Self, WorkerError> {
        let retries = retry::Table::compile(&config.retry)?;
        let Servers { path, store, .. } = servers::connect(config, stop).await?;
        let progress = Progress::default();
        let registry = Arc::new(registry);
        let beat = beat(config, id, pool.clone(), registry.patterns());
        let (heartbeat, orders) = Heartbeat::start(config, beat, progress.clone(), stop).await?;
        let (send_events, events) = mpsc::channel(1024);
        let (outcomes, ended) = Outcomes::new(1024 + 8 * usize::from(config.worker.slots));
        let settler = Settler { worker: id, path: Arc::clone(&path) };
        let broken = CancellationToken::new();
        let stop_claims = CancellationToken::new();
        let calls = Arc::<Calls>::default();
        let intake = Intake {
            config,
            worker: id,
            pool,
            path: &path,
            store: &store,
            vitals: &heartbeat.vitals,
            events: &send_events,
            calls: &calls,
            stop_claims: &stop_claims,
        };
        let (sources, pullers) = intake.open(&broken).await;
        let slots = usize::from(config.worker.slots);
        let arbiter = Arbiter::new(&config.worker);
        let unreserved = arbiter.unreserved();
        let stop_grace = config.worker.stop_grace;
        let slot_loops =
            Slots::new(slots, unreserved, Arc::clone(&registry), progress, stop_grace, send_events)?;
        let mut engine = Engine {
            worker: id,
            arbiter,
            registry,
            slots: slot_loops,
            path: Arc::clone(&path),
            store,
            vitals: Arc::clone(&heartbeat.vitals),
            outcomes,
            sources,
            stop_claims,
            run_queue: Default::default(),
            running: Default::default(),
            calls,
            throttle: (unreserved < slots).then(|| Throttle::new(config.worker.urgent_claim)),
            let_through: 0,
            paused: Vec::new(),
            doubts: Vec::new(),
            throughput: Throughput::new(config.worker.hold),
            phase: Phase::Working,
            failed: None,
            retries,
            result_limit: usize::try_from(config.limits.result.as_u64()).unwrap_or(usize::MAX),
            settings: config.worker.clone(),
        };
        // What is paused now must not run in the half second until the next beat.
        engine.on_orders(orders);
        let settler = tokio::spawn(telling(broken.clone(), settler.run(ended)));
        let reconciler = AbortOnDropHandle::new(tokio::spawn(reconcile(id, Arc::clone(&path))));
        Ok(Self { id, engine, events, heartbeat, broken, reconciler, pullers, settler, path })
    }

    /// The engine has ended: what is still on its way is put where it belongs, and then the lease ends.
    /// Answers why it has, if it was not asked for.
    pub async fn dismantle(mut self, shutdown: &Shutdown) -> Option<WorkerError> {
        let failed = self.engine.failed.take();
        drop(self.engine);
        drop(self.reconciler);
        self.events.close();
        while self.pullers.join_next().await.is_some() {}
        while let Some(event) = self.events.recv().await {
            if let Event::Taken(batch) = event {
                puller::release(&*self.path, self.id, batch.tasks).await;
            }
        }
        // Outcomes wait for a store that is away, but not when this process is to be gone at once.
        if !matches!(shutdown.now.run_until_cancelled(self.settler).await, Some(Ok(()))) {
            tracing::error!("not every outcome could be recorded; those tasks will run again");
        }
        // Whatever a source had in its hands when the engine left.
        if let Err(error) = self.path.reclaim(self.id).await {
            tracing::warn!(code = error.code(), %error, "what is left returns with the lease's end");
        }
        self.heartbeat.finish().await;
        failed
    }

    #[cfg(test)]
    pub fn lose_a_puller(&mut self) {
        self.pullers.abort_all();
    }
}

/// Fires the token when the work ends, be it by a panic or before it has begun.
fn telling(ended: CancellationToken, work: impl Future<Output = ()>) -> impl Future<Output = ()> {
    let fires = ended.drop_guard();
    async move {
        let _fires = fires;
        work.await;
    }
}

/// What is needed to take tasks.
struct Intake<'a> {
    config: &'a Config,
    worker: ProcessId,
    pool: String,
    path: &'a Arc<dyn Path>,
    store: &'a Arc<dyn Store>,
    vitals: &'a Arc<Vitals>,
    events: &'a mpsc::Sender<Event>,
    calls: &'a Arc<Calls>,
    stop_claims: &'a CancellationToken,
}

impl Intake<'_> {
    /// A source for P0 and P1, and one for the others.
    async fn open(self, broken: &CancellationToken) -> (Vec<SourceOrders>, JoinSet<()>) {
        let mut queues = self.config.worker.queues.clone();
        queues.sort_unstable();
        let (critical, others): (Vec<Queue>, _) = queues.into_iter().partition(|queue| queue.is_critical());
        let mut sources = Vec::new();
        let mut pullers = JoinSet::new();
        for queues in [critical, others].into_iter().filter(|queues| !queues.is_empty()) {
            let is_critical = queues.iter().any(|queue| queue.is_critical());
            let (orders, receiver) = SourceOrders::new(queues, is_critical);
            let puller = self.puller(sources.len(), &orders.queues, receiver).await;
            pullers.spawn(telling(broken.clone(), puller.run()));
            sources.push(orders);
        }
        (sources, pullers)
    }

    async fn puller(&self, number: usize, queues: &[Queue], order: watch::Receiver<Order>) -> Puller {
        let vitals = Arc::clone(self.vitals);
        let lease = self.config.worker.lease;
        let taker = Taker {
            worker: self.worker,
            queues: queues.to_vec(),
            hold: self.config.worker.hold,
            sees_silence: Arc::new(move || vitals.sound_for(lease)),
            stop: self.stop_claims.clone(),
        };
        let paced = queues.iter().copied().find(|queue| *queue == Queue::Background);
        let pacer = paced.map(|queue| Pacer::new(Arc::clone(self.store), queue, self.config.pacing.clone()));
        Puller {
            worker: self.worker,
            number,
            path: Arc::clone(self.path),
            source: self.path.source(taker).await,
            order,
            events: self.events.clone(),
            calls: Arc::clone(self.calls),
            hold: self.config.worker.hold,
            troubles: Troubles::new(self.pool.clone(), Arc::clone(self.store)),
            pacer,
            waits: Puller::WAITS,
        }
    }
}

fn beat(config: &Config, worker: ProcessId, pool: String, kinds: Vec<String>) -> Beat {
    Beat {
        worker,
        pool,
        host: sysinfo::System::host_name().unwrap_or_else(|_| "unknown".into()),
        pid: std::process::id(),
        started_at: Timestamp::now(),
        slots: config.worker.slots.into(),
        draining: false,
        queues: config.worker.queues.clone(),
        running: vec![0; config.worker.queues.len()],
        progress: Vec::new(),
        lease: config.worker.lease,
        usage: None,
        done: Default::default(),
        paused: None,
        kinds: Some(kinds),
        unhandled: Vec::new(),
    }
}
