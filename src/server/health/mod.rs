//! What is wrong with the servers and the tasks. A check every few seconds finds it, `/health` and an alert
//! tell it.
//!
//! Guarantees: to ask what is wrong costs the servers nothing; an alert that the store does not take is kept,
//! shown and written as soon as it can be. Never does: touch a task or a worker.

mod lost;
mod pending_alerts;

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{lost::Lost, pending_alerts::PendingAlerts};
use clawpool_backends::{broker::Broker, store::Store};
use clawpool_core::task::Timestamp;
use clawpool_engine::alert::{Alert, Event};

/// Between two checks.
const ROUND: Duration = Duration::from_secs(2);

/// A server that has not answered by then counts as down.
const PATIENCE: Duration = Duration::from_secs(4);

pub struct Health {
    broker: Arc<dyn Broker>,
    store: Arc<dyn Store>,
    alerts: PendingAlerts,
    troubles: Mutex<Vec<Trouble>>,
}

/// Something that keeps tasks from their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub event: Event,
    /// What has it: the store, the broker, a queue.
    pub subject: String,
    pub text: String,
    pub since: Timestamp,
    /// It was there at the check before as well, and an alert was raised.
    lasting: bool,
}

impl Health {
    pub fn new(broker: Arc<dyn Broker>, store: Arc<dyn Store>) -> Self {
        Self { broker, alerts: PendingAlerts::new(Arc::clone(&store)), store, troubles: Mutex::default() }
    }

    /// As of the last check.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.lock().clone()
    }

    pub const fn alerts(&self) -> &PendingAlerts {
        &self.alerts
    }

    /// Checks again and again, until `stop`.
    pub async fn watch(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            self.check().await;
            stop.run_until_cancelled(sleep(ROUND)).await;
        }
    }

    /// Checks once, and raises alerts for what is new.
    pub async fn check(&self) {
        self.find().await;
        self.alerts.save().await;
    }

    async fn find(&self) {
        let (store, broker) = tokio::join!(answer(self.store.probe()), answer(self.broker.probe()));
        let mut found: Vec<(Event, String, String)> = Vec::new();
        found.extend(store.err().map(|text| (Event::StoreTrouble, "store".to_owned(), text)));
        found.extend(broker.err().map(|text| (Event::BrokerTrouble, "broker".to_owned(), text)));
        if let Ok(Ok(lost)) = timeout(PATIENCE, Lost::read(&*self.store)).await {
            found.extend(
                lost.into_iter().map(|lost| (Event::TasksLost, lost.queue.to_string(), lost.to_string())),
            );
        }
        let before = std::mem::take(&mut *self.lock());
        let troubles: Vec<Trouble> = found.into_iter().map(|found| self.trouble(found, &before)).collect();
        for over in before.iter().filter(|before| !troubles.iter().any(|trouble| trouble.is(before))) {
            tracing::info!(subject = over.subject, code = over.event.code(), "it is over: {}", over.text);
        }
        *self.lock() = troubles;
    }

    /// An alert is raised for what is still there at the second check: a server that only restarts is no
    /// news.
    fn trouble(&self, (event, subject, text): (Event, String, String), before: &[Trouble]) -> Trouble {
        let now = Trouble { event, subject, text, since: Timestamp::now(), lasting: false };
        let Some(known) = before.iter().find(|before| before.is(&now)) else { return now };
        // What is lost was told when it was found.
        if !known.lasting && event != Event::TasksLost {
            self.alerts.add(&Alert::new(event, &now.text), &now.subject);
        }
        Trouble { since: known.since, lasting: true, ..now }
    }

    /// The list is whole after each change, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Vec<Trouble>> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trouble {
    fn is(&self, other: &Self) -> bool {
        (self.event, &self.subject) == (other.event, &other.subject)
    }
}

async fn answer<E: Display>(probe: impl Future<Output = Result<(), E>>) -> Result<(), String> {
    match timeout(PATIENCE, probe).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
    }
}
