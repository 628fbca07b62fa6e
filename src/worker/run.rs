use std::{io, sync::Arc};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    Arbiter, Progress, Registry,
    claim::Claimer,
    engine::{Engine, Event, Pace, Phase, alarm},
    fetch::Fetcher,
    lease::LeaseKeeper,
    settle::Settler,
    slots::Slots,
};
use crate::{
    broker::Broker,
    config::{Config, ConfigErrors},
    retry,
    store::{Beat, Store},
    supervise::{ConnectError, Shutdown, connect},
    task::{Queue, Timestamp, WorkerId},
};

#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    #[error(transparent)]
    Retry(#[from] retry::BadTable),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("a thread or a signal handler could not be set up: {0}")]
    System(#[from] io::Error),
    #[error("the worker could not be registered; see the log")]
    NoLease,
    #[error("a handler hung and took its thread with it; this worker has left and must be started anew")]
    Hung,
}

impl WorkerError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config(_) | Self::Retry(_) => "CP-1001",
            Self::Connect(error) => error.code(),
            Self::System(_) => "CP-1503",
            Self::NoLease => "CP-1504",
            Self::Hung => "CP-1502",
        }
    }
}

/// Assembles the parts, runs them until `stop`, and takes them apart in order: fetchers, engine, settler, lease.
pub(super) async fn run(
    config: Config,
    registry: Registry,
    id: WorkerId,
    pool: String,
    shutdown: Shutdown,
) -> Result<(), WorkerError> {
    let retries = retry::Table::compile(&config.retry)?;
    let (broker, store) = connect(&config, &shutdown.drain).await?;
    let progress = Progress::default();
    let (mut lease, orders) = LeaseKeeper::start(&config, beat(&config, id, pool), progress.clone()).await?;
    let (send_events, mut events) = mpsc::channel(1024);
    let (send_ended, ended) = mpsc::channel(1024 + 2 * usize::from(config.worker.slots));
    let settler = Settler { worker: id, broker: Arc::clone(&broker), store: Arc::clone(&store) };
    let settler = tokio::spawn(settler.run(ended));
    let (fetchers, demand) = fetchers(&config, id, &broker, &store, &send_events);
    let claimer = Claimer {
        worker: id,
        broker: Arc::clone(&broker),
        store: Arc::clone(&store),
        vitals: Arc::clone(&lease.vitals),
        lease: config.worker.lease,
        settle: send_ended.clone(),
        stop: CancellationToken::new(),
    };
    let slots = usize::from(config.worker.slots);
    let slots = Slots::new(slots, Arc::new(registry), progress, config.worker.stop_grace, send_events.clone());
    let mut engine = Engine {
        arbiter: Arbiter::new(&config.worker),
        slots: slots?,
        claimer,
        broker: Arc::clone(&broker),
        vitals: Arc::clone(&lease.vitals),
        settle: send_ended,
        demand,
        ready: Default::default(),
        running: Default::default(),
        claiming: 0,
        events: send_events.clone(),
        paused: Vec::new(),
        pace: Pace::new(config.worker.hold),
        phase: Phase::Working,
        hung: false,
        retries,
        result_limit: usize::try_from(config.limits.result.as_u64()).unwrap_or(usize::MAX),
        settings: config.worker.clone(),
    };
    // What is paused now must not run in the half second until the next beat.
    engine.on_orders(orders);
    tracing::info!(%id, slots = config.worker.slots, "the worker is ready");
    work(&mut engine, &mut events, &mut lease, &shutdown).await;
    let hung = engine.hung;
    dismantle(engine, events, fetchers, settler, &*broker, id).await;
    lease.finish().await;
    tracing::info!(%id, "the worker has left");
    if hung { Err(WorkerError::Hung) } else { Ok(()) }
}

async fn work(engine: &mut Engine, events: &mut mpsc::Receiver<Event>, lease: &mut LeaseKeeper, shutdown: &Shutdown) {
    let mut batch = Vec::new();
    while !engine.is_done() {
        engine.dispatch();
        let (alarm_at, phase) = (engine.next_alarm(), engine.phase);
        tokio::select! {
            _ = events.recv_many(&mut batch, 256) => batch.drain(..).for_each(|event| engine.on_event(event)),
            orders = lease.orders.recv() => match orders {
                Some(orders) => engine.on_orders(orders),
                None => engine.drain(),
            },
            () = alarm(alarm_at) => engine.on_time(),
            () = shutdown.drain.cancelled(), if phase == Phase::Working => engine.drain(),
            () = shutdown.now.cancelled(), if matches!(phase, Phase::Finishing { .. }) => engine.tell_to_leave(),
        }
    }
}

/// Everything has ended or been given up: what is still on its way is put where it belongs before the lease ends.
async fn dismantle(
    engine: Engine,
    mut events: mpsc::Receiver<Event>,
    mut fetchers: JoinSet<()>,
    settler: tokio::task::JoinHandle<()>,
    broker: &dyn Broker,
    id: WorkerId,
) {
    drop(engine);
    events.close();
    while fetchers.join_next().await.is_some() {}
    let mut late = Vec::new();
    while let Some(event) = events.recv().await {
        if let Event::Fetched(_, batch) = event {
            late.extend(batch.into_iter().map(|delivery| delivery.receipt));
        }
    }
    if !late.is_empty()
        && let Err(error) = broker.release(late).await
    {
        tracing::warn!(code = error.code(), %error, "tasks could not be given back; they return with the lease's end");
    }
    if settler.await.is_err() {
        tracing::error!("the settler failed; its tasks will run again");
    }
    // Whatever a fetcher had in its hands when the engine left.
    if let Err(error) = broker.reclaim(id).await {
        tracing::warn!(code = error.code(), %error, "tasks could not be given back; they return with the lease's end");
    }
}

type Demand = Vec<(Queue, watch::Sender<usize>)>;

fn fetchers(
    config: &Config,
    worker: WorkerId,
    broker: &Arc<dyn Broker>,
    store: &Arc<dyn Store>,
    events: &mpsc::Sender<Event>,
) -> (JoinSet<()>, Demand) {
    let mut tasks = JoinSet::new();
    let mut demands = Vec::new();
    for queue in config.worker.queues.iter().copied() {
        let (send_demand, demand) = watch::channel(0);
        demands.push((queue, send_demand));
        let fetcher = Fetcher {
            worker,
            queue,
            broker: Arc::clone(broker),
            store: Arc::clone(store),
            demand,
            events: events.clone(),
            hold: config.worker.hold,
            pacing: (queue == Queue::Background).then(|| config.pacing.clone()),
        };
        tasks.spawn(fetcher.run());
    }
    (tasks, demands)
}

fn beat(config: &Config, worker: WorkerId, pool: String) -> Beat {
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
    }
}
