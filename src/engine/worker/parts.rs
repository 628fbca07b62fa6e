use std::sync::Arc;

use tokio::{
    sync::mpsc,
    task::{JoinHandle, JoinSet},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Progress, Registry, WorkerError,
    engine::{Engine, Event},
    foundation::Foundation,
    heartbeat::Heartbeat,
    identity::Identity,
    log_writer::Logging,
    puller,
    reconcile::reconcile,
    served::ServedQueues,
};
use crate::{process::Shutdown, trace::Export};
use clawpool_backends::{
    path::{Path, Servers},
    servers,
    store::Beat,
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
        let export = Export::start(&config.tracing, "clawpool-worker");
        let foundation = Foundation {
            config,
            who,
            registry,
            path: Arc::clone(&path),
            store,
            vitals: Arc::clone(&heartbeat.vitals),
            progress,
            tracer: export.tracer(),
            events: send_events,
            calls: Arc::default(),
            stop_claims: CancellationToken::new(),
            broken: CancellationToken::new(),
        };
        let (outcomes, settling) = foundation.settling();
        let logging = Logging::start(config, &foundation.store);
        let (sources, pullers) = foundation.sources(&served.classes()).await;
        let mut engine = foundation.engine(retries, logging.logs(), outcomes, sources, served)?;
        // What is paused now must not run in the half second until the next beat.
        engine.on_orders(orders);
        let settler = tokio::spawn(settling);
        let reconciler = AbortOnDropHandle::new(tokio::spawn(reconcile(id, Arc::clone(&path))));
        let broken = foundation.broken;
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
pub(super) fn telling(ended: CancellationToken, work: impl Future<Output = ()>) -> impl Future<Output = ()> {
    let fires = ended.drop_guard();
    async move {
        let _fires = fires;
        work.await;
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
