use std::sync::Arc;

use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Arbiter, Progress, Registry, WorkerError,
    claim::Claimer,
    engine::{Engine, Event},
    fetch::Fetcher,
    heartbeat::Heartbeat,
    receipts,
    reconcile::reconcile,
    settle::{Outcomes, Settler},
    slots::Slots,
    stop::Phase,
    throttle::Throttle,
    throughput::Throughput,
};
use crate::process::Shutdown;
use clawpool_backends::{
    broker::Broker,
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
    /// Fires when a fetcher or the settler ends, which none does by itself.
    pub broken: CancellationToken,
    reconciler: AbortOnDropHandle<()>,
    fetchers: JoinSet<()>,
    settler: JoinHandle<()>,
    broker: Arc<dyn Broker>,
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
        let (broker, store) = servers::connect(config, stop).await?;
        let (progress, registry) = (Progress::default(), Arc::new(registry));
        let beat = beat(config, id, pool.clone(), registry.patterns());
        let (heartbeat, orders) = Heartbeat::start(config, beat, progress.clone(), stop).await?;
        let (send_events, events) = mpsc::channel(1024);
        let (outcomes, ended) = Outcomes::new(1024 + 3 * usize::from(config.worker.slots));
        let settler = Settler { worker: id, broker: Arc::clone(&broker), store: Arc::clone(&store) };
        let broken = CancellationToken::new();
        let (fetchers, demand) = fetchers(config, id, &pool, &broker, &store, &send_events, &broken);
        let slots = usize::from(config.worker.slots);
        let (arbiter, stop_grace) = (Arbiter::new(&config.worker), config.worker.stop_grace);
        let unreserved = arbiter.unreserved();
        let mut engine = Engine {
            arbiter,
            slots: Slots::new(
                slots,
                unreserved,
                Arc::clone(&registry),
                progress,
                stop_grace,
                send_events.clone(),
            )?,
            claimer: claimer(config, id, &broker, &store, &heartbeat, &outcomes, registry),
            broker: Arc::clone(&broker),
            vitals: Arc::clone(&heartbeat.vitals),
            outcomes,
            demand,
            ready: Default::default(),
            run_queue: Default::default(),
            running: Default::default(),
            claiming: 0,
            claims: Default::default(),
            others_claiming: 0,
            throttle: (unreserved < slots).then(|| Throttle::new(config.worker.urgent_claim)),
            events: send_events,
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
        let reconciler = AbortOnDropHandle::new(tokio::spawn(reconcile(id, Arc::clone(&broker))));
        Ok(Self { id, engine, events, heartbeat, broken, reconciler, fetchers, settler, broker })
    }

    /// The engine has ended: what is still on its way is put where it belongs, and then the lease ends.
    /// Answers why it has, if it was not asked for.
    pub async fn dismantle(mut self, shutdown: &Shutdown) -> Option<WorkerError> {
        let failed = self.engine.failed.take();
        drop((self.engine, self.reconciler));
        self.events.close();
        while self.fetchers.join_next().await.is_some() {}
        let mut late = Vec::new();
        while let Some(event) = self.events.recv().await {
            if let Event::Fetched(_, batch) = event {
                late.extend(batch.into_iter().map(|delivery| delivery.receipt));
            }
        }
        receipts::give_back(&*self.broker, late).await;
        // Outcomes wait for a store that is away, but not when this process is to be gone at once.
        if !matches!(shutdown.now.run_until_cancelled(self.settler).await, Some(Ok(()))) {
            tracing::error!("not every outcome could be recorded; those tasks will run again");
        }
        // Whatever a fetcher had in its hands when the engine left.
        if let Err(error) = self.broker.reclaim(self.id).await {
            tracing::warn!(code = error.code(), %error, "what is left returns with the lease's end");
        }
        self.heartbeat.finish().await;
        failed
    }

    #[cfg(test)]
    pub fn lose_a_fetcher(&mut self) {
        self.fetchers.abort_all();
    }
}

fn claimer(
    config: &Config,
    worker: ProcessId,
    broker: &Arc<dyn Broker>,
    store: &Arc<dyn Store>,
    heartbeat: &Heartbeat,
    outcomes: &Outcomes,
    registry: Arc<Registry>,
) -> Claimer {
    Claimer {
        worker,
        registry,
        broker: Arc::clone(broker),
        store: Arc::clone(store),
        vitals: Arc::clone(&heartbeat.vitals),
        lease: config.worker.lease,
        outcomes: outcomes.clone(),
        stop: CancellationToken::new(),
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

type Demand = Vec<(Queue, watch::Sender<usize>)>;

fn fetchers(
    config: &Config,
    worker: ProcessId,
    pool: &str,
    broker: &Arc<dyn Broker>,
    store: &Arc<dyn Store>,
    events: &mpsc::Sender<Event>,
    broken: &CancellationToken,
) -> (JoinSet<()>, Demand) {
    let mut tasks = JoinSet::new();
    let mut demands = Vec::new();
    for queue in config.worker.queues.iter().copied() {
        let (send_demand, demand) = watch::channel(0);
        demands.push((queue, send_demand));
        let fetcher = Fetcher {
            worker,
            pool: pool.to_owned(),
            queue,
            broker: Arc::clone(broker),
            store: Arc::clone(store),
            demand,
            events: events.clone(),
            hold: config.worker.hold,
            pacing: (queue == Queue::Background).then(|| config.pacing.clone()),
        };
        tasks.spawn(telling(broken.clone(), fetcher.run()));
    }
    (tasks, demands)
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
