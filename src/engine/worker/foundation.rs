use std::sync::Arc;

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    Arbiter, Progress, Registry, WorkerError,
    attempt_log::Logs,
    demand::SourceOrders,
    engine::{Engine, Event},
    facts::Facts,
    heartbeat::Vitals,
    identity::Identity,
    pacer::Pacers,
    parts::telling,
    puller::{Order, Puller},
    questions::Calls,
    served::ServedQueues,
    settle::{Outcomes, Settler},
    slots::Slots,
    stop::Phase,
    story::Stories,
    throttle::Throttle,
    throughput::Throughput,
    troubles::Troubles,
};
use crate::trace::Tracer;
use clawpool_backends::{
    path::{Path, Taker},
    store::Store,
};
use clawpool_core::{config::Config, retry, task::Queue};

/// What the parts of a worker stand on: who it is, its servers, and the ways between the parts.
pub(super) struct Foundation<'a> {
    pub config: &'a Config,
    pub who: Identity,
    pub registry: Arc<Registry>,
    pub path: Arc<dyn Path>,
    pub store: Arc<dyn Store>,
    pub vitals: Arc<Vitals>,
    pub progress: Progress,
    pub tracer: Tracer,
    /// To the engine.
    pub events: mpsc::Sender<Event>,
    pub calls: Arc<Calls>,
    /// Fires when nothing more is to be claimed.
    pub stop_claims: CancellationToken,
    /// Fires when a puller or the settler ends.
    pub broken: CancellationToken,
}

impl Foundation<'_> {
    /// What records the outcomes, and the way to it.
    pub fn settling(&self) -> (Outcomes, impl Future<Output = ()> + use<>) {
        let Self { config, who, .. } = self;
        let (outcomes, ended) = Outcomes::new(1024 + 8 * usize::from(config.worker.slots));
        let settler = Settler {
            worker: who.id,
            path: Arc::clone(&self.path),
            facts: Facts::new(config, who.pool.clone(), who.version.clone()),
            stories: Stories::new(config, who.id, who.version.clone()),
            tracer: self.tracer.clone(),
        };
        (outcomes, telling(self.broken.clone(), settler.run(ended)))
    }

    /// A source for P0 and P1, and one for the others, each with what pulls from it.
    pub async fn sources(&self, classes: &[Queue]) -> (Vec<SourceOrders>, JoinSet<()>) {
        let mut sources = Vec::new();
        let mut pullers = JoinSet::new();
        for is_critical in [true, false] {
            let queues = classes.iter().copied().filter(|queue| queue.is_critical() == is_critical);
            let (orders, receiver) = SourceOrders::new(queues.collect(), is_critical);
            let puller = self.puller(sources.len(), is_critical, receiver).await;
            pullers.spawn(telling(self.broken.clone(), puller.run()));
            sources.push(orders);
        }
        (sources, pullers)
    }

    async fn puller(&self, number: usize, is_critical: bool, order: watch::Receiver<Order>) -> Puller {
        let vitals = Arc::clone(&self.vitals);
        let lease = self.config.worker.lease;
        let taker = Taker {
            worker: self.who.id,
            hold: self.config.worker.hold,
            sees_silence: Arc::new(move || vitals.sound_for(lease)),
            stop: self.stop_claims.clone(),
        };
        let known = self.config.known_queues().into_iter();
        let queues: Vec<Queue> = known.filter(|queue| queue.is_critical() == is_critical).collect();
        Puller {
            worker: self.who.id,
            number,
            path: Arc::clone(&self.path),
            source: self.path.source(taker).await,
            order,
            events: self.events.clone(),
            calls: Arc::clone(&self.calls),
            hold: self.config.worker.hold,
            troubles: Troubles::new(self.who.pool.clone(), Arc::clone(&self.store)),
            pacers: Pacers::new(self.config, &queues, &self.store),
            waits: Puller::WAITS,
        }
    }

    /// The engine, before its first event.
    pub fn engine(
        &self,
        retries: retry::Table,
        logs: Option<Arc<Logs>>,
        outcomes: Outcomes,
        sources: Vec<SourceOrders>,
        served: ServedQueues,
    ) -> Result<Engine, WorkerError> {
        let settings = self.config.worker.clone();
        let arbiter = Arbiter::new(&settings, &self.config.served_by(&settings.queues));
        let unreserved = arbiter.unreserved();
        Ok(Engine {
            worker: self.who.id,
            slots: self.slots(unreserved, logs)?,
            arbiter,
            registry: Arc::clone(&self.registry),
            path: Arc::clone(&self.path),
            store: Arc::clone(&self.store),
            vitals: Arc::clone(&self.vitals),
            outcomes,
            tracer: self.tracer.clone(),
            sources,
            served,
            stop_claims: self.stop_claims.clone(),
            run_queue: Default::default(),
            running: Default::default(),
            calls: Arc::clone(&self.calls),
            throttle: (unreserved < usize::from(settings.slots))
                .then(|| Throttle::new(settings.urgent_claim)),
            let_through: 0,
            paused: Vec::new(),
            doubts: Vec::new(),
            throughput: Throughput::new(settings.hold),
            phase: Phase::Working,
            failed: None,
            retries,
            result_limit: usize::try_from(self.config.limits.result.as_u64()).unwrap_or(usize::MAX),
            settings,
        })
    }

    fn slots(&self, unreserved: usize, logs: Option<Arc<Logs>>) -> std::io::Result<Slots> {
        let Self { registry, progress, events, .. } = self;
        let settings = &self.config.worker;
        let slots = usize::from(settings.slots);
        let registry = Arc::clone(registry);
        Slots::new(slots, unreserved, registry, progress.clone(), logs, settings.stop_grace, events.clone())
    }
}
