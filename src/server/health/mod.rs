//! What is wrong with the servers, the tasks, the services that a user has named, and this process. A check
//! every few seconds finds it, `/health` and an alert tell it.
//!
//! Guarantees: to ask what is wrong costs the servers nothing, as long as the checks go on; an alert that the
//! store does not take is kept, shown and written as soon as it can be. Never does: touch a task or a worker.

mod findings;
mod loops;
mod lost;
mod machine;
mod pending_alerts;
mod probes;
mod queues;
mod servers;
mod stalled;
mod standing;
mod workload;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

pub use self::{
    findings::{Findings, Trouble},
    machine::Machine,
    probes::Service,
    servers::{Server, ServerList},
    standing::Standing,
    workload::Workload,
};
pub(crate) use self::{
    loops::{LATE, Loops, LoopsLook},
    lost::Lost,
    pending_alerts::PendingAlerts,
};
use self::{machine::MachineMeter, probes::Probes, queues::QueueWatch};
use clawpool_backends::{broker::Broker, store::Store};
use clawpool_core::{config::Config, task::Timestamp};
use clawpool_engine::alert::{Alert, Event};

/// Between two checks.
const ROUND: Duration = Duration::from_secs(2);

/// A server that has not answered by then counts as down.
const PATIENCE: Duration = Duration::from_secs(4);

/// What was found longer ago than a round with a silent server takes is looked at again by who asks, who
/// waits no longer than `HASTE`.
const STALE: Duration = Duration::from_secs(8);
const HASTE: Duration = Duration::from_secs(2);

pub struct Health {
    config: Arc<Config>,
    broker: Arc<dyn Broker>,
    store: Arc<dyn Store>,
    alerts: PendingAlerts,
    loops: Loops,
    probes: Probes,
    machine: MachineMeter,
    /// Held while somebody looks: one does at a time.
    queues: tokio::sync::Mutex<QueueWatch>,
    last: Mutex<Option<Findings>>,
}

/// An event, whose it is, and what there is to say.
type Found = (Event, String, String);

impl Health {
    pub fn new(config: Arc<Config>, broker: Arc<dyn Broker>, store: Arc<dyn Store>) -> Self {
        Self {
            alerts: PendingAlerts::new(Arc::clone(&store)),
            loops: Loops::default(),
            probes: Probes::new(Arc::clone(&config)),
            machine: MachineMeter::new(&config),
            queues: tokio::sync::Mutex::new(QueueWatch::new(Arc::clone(&config))),
            last: Mutex::default(),
            config,
            broker,
            store,
        }
    }

    /// What the last check has found. Where that was too long ago, as before the first one, this checks.
    pub async fn findings(&self) -> Findings {
        if let Some(fresh) = self.fresh() {
            return fresh;
        }
        // Another one that asks may be at it.
        if let Ok(queues) = timeout(HASTE, self.queues.lock()).await
            && self.fresh().is_none()
        {
            self.look(queues, HASTE).await;
        }
        let old = self.lock().clone();
        old.unwrap_or_else(|| Findings::none(&self.config))
    }

    /// As of the last check.
    #[cfg(test)]
    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        self.lock().as_ref().map(|last| last.troubles.clone()).unwrap_or_default()
    }

    fn fresh(&self) -> Option<Findings> {
        self.lock().as_ref().filter(|findings| findings.at.elapsed() < STALE).cloned()
    }

    pub const fn alerts(&self) -> &PendingAlerts {
        &self.alerts
    }

    /// Those of this process.
    pub(crate) const fn loops(&self) -> &Loops {
        &self.loops
    }

    /// Checks again and again, until `stop`.
    pub async fn watch(&self, stop: &CancellationToken) {
        let checks = async {
            while !stop.is_cancelled() {
                self.check().await;
                stop.run_until_cancelled(sleep(ROUND)).await;
            }
        };
        tokio::join!(self.loops.watch("health", LATE, checks), self.probes.watch(stop));
    }

    /// Checks once, and raises alerts for what is new.
    pub async fn check(&self) {
        self.look(self.queues.lock().await, PATIENCE).await;
        self.alerts.save().await;
    }

    async fn look(&self, mut queues: tokio::sync::MutexGuard<'_, QueueWatch>, patience: Duration) {
        let silent = || Standing::Down(format!("no answer within {patience:?}"));
        let (store, brokers, lost, (), machine) = tokio::join!(
            timeout(patience, self.store.probe()),
            self.broker.probe(patience),
            timeout(patience, Lost::read(&*self.store)),
            queues.look(&*self.store, &*self.broker, patience),
            self.machine.read(patience),
        );
        let store = store.map_or_else(|_| silent(), Standing::from);
        let servers = ServerList::new(&self.config, store, brokers);
        let services = self.probes.all();
        let mut found = troubles_of(&servers, &services, &self.loops.look());
        let lost = lost.ok().and_then(Result::ok).unwrap_or_default();
        found.extend(lost.iter().map(|lost| (Event::TasksLost, lost.queue.to_string(), lost.to_string())));
        let stalled = queues.stalled.iter();
        found.extend(stalled.map(|queue| (Event::Stalled, queue.queue.to_string(), queue.to_string())));
        let troubles = self.compare(found);
        let QueueWatch { ready, workload, .. } = *queues;
        let at = Instant::now();
        *self.lock() = Some(Findings { at, servers, services, troubles, ready, workload, machine });
    }

    /// What is there still, what is new, and what is over.
    fn compare(&self, found: Vec<Found>) -> Vec<Trouble> {
        let before = self.lock().as_ref().map(|last| last.troubles.clone()).unwrap_or_default();
        let troubles: Vec<Trouble> = found.into_iter().map(|found| self.trouble(found, &before)).collect();
        for over in before.iter().filter(|before| !troubles.iter().any(|trouble| trouble.is(before))) {
            tracing::info!(subject = over.subject, code = over.event.code(), "it is over: {}", over.text);
        }
        troubles
    }

    /// An alert is raised for what is still there at the second check: a server that only restarts is no
    /// news.
    fn trouble(&self, (event, subject, text): Found, before: &[Trouble]) -> Trouble {
        let now = Trouble { event, subject, text, since: Timestamp::now(), lasting: false };
        let Some(known) = before.iter().find(|before| before.is(&now)) else { return now };
        // What is lost was told when it was found.
        if !known.lasting && event != Event::TasksLost {
            self.alerts.add(&Alert::new(event, &now.text), &now.subject);
        }
        Trouble { since: known.since, lasting: true, ..now }
    }

    /// They are whole after each change, so a panic elsewhere does not spoil them.
    fn lock(&self) -> MutexGuard<'_, Option<Findings>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn troubles_of(servers: &ServerList, services: &[Service], loops: &LoopsLook) -> Vec<Found> {
    let server = |server: &Server| {
        let event = if server.is_store { Event::StoreTrouble } else { Event::BrokerTrouble };
        Some((event, server.name.to_owned(), server.standing.reason()?.to_owned()))
    };
    let service = |service: &Service| {
        let event = if service.standing.is_down() { Event::ServiceDown } else { Event::ServiceSlow };
        Some((event, service.name.clone(), service.standing.reason()?.to_owned()))
    };
    let stuck = |name: &&'static str| {
        (Event::LoopStuck, (*name).to_owned(), format!("{name} of this dispatcher stands still"))
    };
    let servers = servers.iter().filter_map(server);
    servers.chain(services.iter().filter_map(service)).chain(loops.stuck.iter().map(stuck)).collect()
}
