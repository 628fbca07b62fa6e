//! Errors of fetching: how long to wait before the next try, and who is told.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::alert::{Alert, Event, raise};
use clawpool_backends::{broker::BrokerError, store::Store};
use clawpool_core::{retry::Backoff, task::Queue};

/// Work goes on within a second of the server's return.
const SILENT: Backoff = Backoff::millis::<50, 500>();
/// Waiting does not mend what a server refuses.
const REFUSES: Backoff = Backoff::millis::<50, 5_000>();
/// Without an error for this long, it is over.
const CALM: Duration = Duration::from_secs(30);
/// How often it is told while it lasts.
const AGAIN: Duration = Duration::from_secs(60);

/// Of one queue. Told at once, then again while it lasts; a refusal also as an alert, for waiting does not
/// mend it.
pub struct FetchErrors {
    queue: Queue,
    pool: String,
    store: Arc<dyn Store>,
    failures: u32,
    last: Option<Instant>,
    told: Option<Instant>,
}

impl FetchErrors {
    pub(super) const fn new(queue: Queue, pool: String, store: Arc<dyn Store>) -> Self {
        Self { queue, pool, store, failures: 0, last: None, told: None }
    }

    pub(super) async fn pause_after(&mut self, error: &BrokerError) -> Duration {
        let now = Instant::now();
        if self.last.is_none_or(|last| now - last > CALM) {
            (self.failures, self.told) = (0, None);
        }
        self.last = Some(now);
        if self.told.is_none_or(|told| now - told >= AGAIN) {
            self.told = Some(now);
            self.tell(error).await;
        }
        let backoff = if error.is_retryable() { SILENT } else { REFUSES };
        self.failures = self.failures.saturating_add(1);
        backoff.wait(self.failures - 1, &mut rand::rng())
    }

    async fn tell(&self, error: &BrokerError) {
        let (queue, code) = (self.queue, error.code());
        if error.is_retryable() {
            tracing::warn!(code, %error, %queue, "fetching pauses; running tasks go on");
            return;
        }
        tracing::error!(code, %error, %queue, "nothing can be fetched until the server allows it; running \
            tasks go on");
        let text = format!("workers cannot fetch from queue {queue}: {error}");
        raise(&*self.store, &self.pool, &Alert::new(Event::Refused, text)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_backends::store::{self, Topic};
    use clawpool_core::config::Config;

    fn refused() -> BrokerError {
        BrokerError::Refused { broker: "RabbitMQ", reason: "access to queue 'high' refused".into() }
    }

    #[tokio::test]
    async fn a_refusal_is_an_alert_once_for_all_workers_of_a_pool() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.embedded.data = folder.path().into();
        let store = store::open(&config).await.unwrap();
        for _ in 0..3 {
            let mut errors = FetchErrors::new(Queue::High, "default".into(), Arc::clone(&store));
            for _ in 0..5 {
                assert!(errors.pause_after(&refused()).await <= Duration::from_secs(5));
            }
        }
        let silent = BrokerError::Unavailable { broker: "RabbitMQ", reason: "no answer".into() };
        FetchErrors::new(Queue::P4, "default".into(), Arc::clone(&store)).pause_after(&silent).await;
        let alerts = store.journal(Topic::Alert, Some("default"), None, 10).await.unwrap().items;
        assert_eq!(alerts.len(), 1);
        let text = alerts[0].body["text"].as_str().unwrap();
        assert!(text.contains("high") && text.contains("access to queue"), "{text}");
    }
}
