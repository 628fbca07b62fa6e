//! What waits and who works, from the dispatcher, or from the store when none answers.

use super::Site;
use clawpool_backends::{
    backend::sqlite::inspect,
    store::{self, DeadFilter, Entry, Page, Served, Store, StoreError, Topic, WorkerInfo},
};
use clawpool_core::{
    config::{Config, Profile},
    task::Timestamp,
};
use clawpool_engine::{
    alert::{Alert, Event},
    client::{
        Client, ClientError,
        view::{AlertView, DeadView, QueuesView},
    },
};

/// Entries that are asked for; more are only said to be there.
pub(super) const PAGE: usize = 100;

/// A pool as it is now.
pub(super) struct Pool {
    pub(super) queues: Vec<WaitingQueue>,
    pub(super) workers: Vec<WorkerInfo>,
    /// Dead letters on the first page, and whether there are more.
    pub(super) dead: (usize, bool),
    /// Latest first.
    pub(super) alerts: Vec<PastAlert>,
    /// A dispatcher answered.
    pub(super) is_served: bool,
}

/// A queue, and who serves it.
pub(super) struct WaitingQueue {
    pub(super) name: String,
    /// Tasks that wait; from the store alone, all that have not ended.
    pub(super) waiting: u64,
    pub(super) workers: u64,
    pub(super) is_paused: bool,
    /// Kinds that came lately and that no worker has a handler for.
    pub(super) unhandled: Vec<String>,
    /// Why nothing is known of it.
    pub(super) error: Option<String>,
}

pub(super) struct PastAlert {
    pub(super) at: Timestamp,
    pub(super) subject: String,
    pub(super) event: Event,
    pub(super) text: String,
}

impl Pool {
    pub(super) async fn read(site: &Site) -> Result<Self, String> {
        let refused = match asked(&site.client).await {
            Ok(pool) => return Ok(pool),
            Err(error) => error,
        };
        let config = site.config().map_err(|finding| finding.text)?;
        let stored = match opened(config).await {
            Ok(store) => stored(&*store).await.map_err(|error| error.to_string()),
            Err(reason) => Err(reason),
        };
        stored.map_err(|reason| format!("{refused}; {reason}"))
    }
}

async fn asked(client: &Client) -> Result<Pool, ClientError> {
    let page = [("limit", PAGE.to_string())];
    let (queues, workers, dead, alerts) = tokio::try_join!(
        client.get::<QueuesView>("v1/queues", &[]),
        client.get::<Page<WorkerInfo>>("v1/workers", &[]),
        client.get::<Page<DeadView>>("v1/dead", &page),
        client.get::<Page<AlertView>>("v1/alerts", &page),
    )?;
    let queues = queues.items.into_iter().map(|view| WaitingQueue {
        name: view.queue.to_string(),
        waiting: view.ready.unwrap_or_default(),
        workers: view.workers,
        is_paused: view.paused,
        unhandled: view.unhandled,
        error: view.error,
    });
    let alerts = alerts.items.into_iter().map(|view| PastAlert {
        at: view.at,
        subject: view.pool,
        event: view.event,
        text: view.text,
    });
    Ok(Pool {
        queues: queues.collect(),
        workers: workers.items,
        dead: (dead.items.len(), dead.next.is_some()),
        alerts: alerts.collect(),
        is_served: true,
    })
}

/// A file that is not there, or of another version, is not opened: that would make or change it.
async fn opened(config: &Config) -> Result<std::sync::Arc<dyn Store>, String> {
    if config.profile == Profile::Embedded {
        let path = inspect::path(config);
        match super::aside::aside(move || inspect::inspect(&path)).await {
            Some(Ok(Some(seen))) if seen.schema == seen.known_schema && seen.unwilling.is_none() => {}
            Some(Ok(None)) => return Err("there is no data yet".to_owned()),
            _ => return Err("the file cannot be used as it is".to_owned()),
        }
    }
    store::open(config).await.map_err(|error| error.to_string())
}

async fn stored(store: &dyn Store) -> Result<Pool, StoreError> {
    let filter = DeadFilter::default();
    let (totals, paused, workers, dead, alerts) = tokio::try_join!(
        store.totals(),
        store.paused(),
        store.workers(),
        store.dead(&filter, None, PAGE),
        store.journal(Topic::Alert, None, None, PAGE),
    )?;
    let served = Served::by(&workers);
    let queues = totals.iter().map(|(queue, totals)| WaitingQueue {
        name: queue.to_string(),
        waiting: totals.unfinished(),
        workers: served.workers(*queue),
        is_paused: paused.contains(queue),
        unhandled: served.unhandled(*queue).map(str::to_owned).collect(),
        error: None,
    });
    Ok(Pool {
        queues: queues.collect(),
        dead: (dead.items.len(), dead.next.is_some()),
        alerts: alerts.items.into_iter().filter_map(past).collect(),
        is_served: false,
        workers,
    })
}

/// What another version has written differently is left out.
fn past(entry: Entry) -> Option<PastAlert> {
    let Alert { event, text } = serde_json::from_value(entry.body).ok()?;
    Some(PastAlert { at: entry.at, subject: entry.subject, event, text })
}
