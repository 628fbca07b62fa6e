//! Who is told when nothing can be taken.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::alert::{Alert, Event, raise};
use clawpool_backends::{path::PathError, store::Store};
use clawpool_core::task::Queue;

/// Without an error for this long, it is over.
const CALM: Duration = Duration::from_secs(30);
/// How often it is told while it lasts.
const AGAIN: Duration = Duration::from_secs(60);

/// Errors of each queue are told at once, then again while they last; a refusal also as an alert, for waiting
/// does not mend it.
pub(super) struct Troubles {
    pool: String,
    store: Arc<dyn Store>,
    known: HashMap<Queue, Trouble>,
}

struct Trouble {
    last: Instant,
    told: Instant,
}

impl Troubles {
    pub fn new(pool: String, store: Arc<dyn Store>) -> Self {
        Self { pool, store, known: HashMap::new() }
    }

    pub async fn tell(&mut self, queue: Queue, error: &PathError) {
        let now = Instant::now();
        let known = self.known.get_mut(&queue);
        if let Some(known) = known.filter(|known| now - known.last <= CALM && now - known.told < AGAIN) {
            known.last = now;
            return;
        }
        self.known.insert(queue, Trouble { last: now, told: now });
        let code = error.code();
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
    use clawpool_backends::{
        broker::BrokerError,
        store::{self, Topic},
    };
    use clawpool_core::config::Config;

    fn refused() -> PathError {
        BrokerError::Refused { broker: "RabbitMQ", reason: "access to queue 'high' refused".into() }.into()
    }

    #[tokio::test]
    async fn a_refusal_is_an_alert_once_for_all_workers_of_a_pool() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.embedded.data = folder.path().into();
        let store = store::open(&config).await.unwrap();
        for _ in 0..3 {
            let mut troubles = Troubles::new("default".into(), Arc::clone(&store));
            for _ in 0..5 {
                troubles.tell(Queue::P2, &refused()).await;
            }
        }
        let silent = BrokerError::Unavailable { broker: "RabbitMQ", reason: "no answer".into() };
        let mut troubles = Troubles::new("default".into(), Arc::clone(&store));
        troubles.tell(Queue::P4, &silent.into()).await;
        let alerts = store.journal(Topic::Alert, Some("default"), None, 10).await.unwrap().items;
        assert_eq!(alerts.len(), 1);
        let text = alerts[0].body["text"].as_str().unwrap();
        assert!(text.contains("high") && text.contains("access to queue"), "{text}");
    }
}
