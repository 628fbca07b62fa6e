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
    facts::Facts,
    heartbeat::{Heartbeat, Vitals},
    identity::Identity,
    log_writer::Logging,
    pacer::Pacers,
    puller::{self, Order, Puller},
    questions::Calls,
    reconcile::reconcile,
    served::ServedQueues,
    settle::{Outcomes, Settler},
    slots::Slots,
    stop::Phase,
    story::Stories,
    throttle::Throttle,
    throughput::Throughput,
    troubles::Troubles,
};
use crate::{process::Shutdown, trace::Export};
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
    logging: Logging,
    path: Arc<dyn Path>,
    export: Export,
}

impl Parts {
    /// Connects, registers the worker and starts everything around the engine.
    pub async fn assemble(
        config: &Config,
        registry: Registry,
        who: Identity,
        stop: &CancellationToken,
    ) -> Result<Self, WorkerError> {
        let id = who.id;
        let retries = retry::Table::compile(&config.retry)?;
        let Servers { path, store, .. } = servers::connect(config, stop).await?;
        let progress = Progress::default();
        let registry = Arc::new(registry);
        let (send_events, events) = mpsc::channel(1024);
        let served = ServedQueues::new(config.worker.queues.clone(), Arc::clone(&store), send_events.clone());
        let beat = beat(config, &who, served.classes(), registry.patterns());
        let (heartbeat, orders) = Heartbeat::start(config, beat, progress.clone(), stop).await?;
        let facts = Facts::new(config, who.pool.clone(), who.version.clone());
        let stories = Stories::new(config, id, who.version);
        let (outcomes, ended) = Outcomes::new(1024 + 8 * usize::from(config.worker.slots));
        let export = Export::start(&config.tracing, "clawpool-worker");
        let tracer = export.tracer();
        let settler = Settler { worker: id, path: Arc::clone(&path), facts, stories, tracer };
        let logging = Logging::start(config, &store);
        let logs = logging.logs();
        let broken = CancellationToken::new();
        let stop_claims = CancellationToken::new();
        let calls = Arc::<Calls>::default();
        let intake = Intake {
            config,
            worker: id,
            pool: who.pool,
            path: &path,
            store: &store,
            vitals: &heartbeat.vitals,
            events: &send_events,
            calls: &calls,
            stop_claims: &stop_claims,
        };
        let (sources, pullers) = intake.open(&served.classes(), &broken).await;
        let slots = usize::from(config.worker.slots);
        let arbiter = Arbiter::new(&config.worker, &config.served_by(&config.worker.queues));
        let unreserved = arbiter.unreserved();
        let stop_grace = config.worker.stop_grace;
        let slot_loops =
            Slots::new(slots, unreserved, Arc::clone(&registry), progress, logs, stop_grace, send_events)?;
        let mut engine = Engine {
            worker: id,
            arbiter,
            registry,
            slots: slot_loops,
            path: Arc::clone(&path),
            store,
            vitals: Arc::clone(&heartbeat.vitals),
            outcomes,
            tracer: export.tracer(),
            sources,
            served,
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
        Ok(Self {
            id,
            engine,
            events,
            heartbeat,
            broken,
            reconciler,
            pullers,
            settler,
            logging,
            path,
            export,
        })
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
        // Lines are worth no wait when this process is to be gone at once.
        shutdown.now.run_until_cancelled(self.logging.finish()).await;
        // Whatever a source had in its hands when the engine left.
        if let Err(error) = self.path.reclaim(self.id).await {
            tracing::warn!(code = error.code(), %error, "what is left returns with the lease's end");
        }
        self.heartbeat.finish().await;
        self.export.finish().await;
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
    async fn open(self, classes: &[Queue], broken: &CancellationToken) -> (Vec<SourceOrders>, JoinSet<()>) {
        let mut sources = Vec::new();
        let mut pullers = JoinSet::new();
        for is_critical in [true, false] {
            let queues = classes.iter().copied().filter(|queue| queue.is_critical() == is_critical);
            let (orders, receiver) = SourceOrders::new(queues.collect(), is_critical);
            let puller = self.puller(sources.len(), is_critical, receiver).await;
            pullers.spawn(telling(broken.clone(), puller.run()));
            sources.push(orders);
        }
        (sources, pullers)
    }

    async fn puller(&self, number: usize, is_critical: bool, order: watch::Receiver<Order>) -> Puller {
        let vitals = Arc::clone(self.vitals);
        let lease = self.config.worker.lease;
        let taker = Taker {
            worker: self.worker,
            hold: self.config.worker.hold,
            sees_silence: Arc::new(move || vitals.sound_for(lease)),
            stop: self.stop_claims.clone(),
        };
        let known = self.config.known_queues().into_iter();
        let queues: Vec<Queue> = known.filter(|queue| queue.is_critical() == is_critical).collect();
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
            pacers: Pacers::new(self.config, &queues, self.store),
            waits: Puller::WAITS,
        }
    }
}

fn beat(config: &Config, who: &Identity, queues: Vec<Queue>, kinds: Vec<String>) -> Beat {
    Beat {
        worker: who.id,
        pool: who.pool.clone(),
        version: Some(who.version.clone()),
        host: sysinfo::System::host_name().unwrap_or_else(|_| "unknown".into()),
        pid: std::process::id(),
        started_at: Timestamp::now(),
        slots: config.worker.slots.into(),
        draining: false,
        running: vec![0; queues.len()],
        queues,
        serves: Some(config.worker.queues.clone()),
        progress: Vec::new(),
        lease: config.worker.lease,
        usage: None,
        machine: None,
        done: Default::default(),
        paused: None,
        kinds: Some(kinds),
        unhandled: Vec::new(),
    }
}
