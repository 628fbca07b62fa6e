//! Keeps the counters of the Windows performance monitor at what this dispatcher knows.
//!
//! Guarantees: what the store does not tell keeps its last value, so that a rate never falls below zero.
//! Never does: ask a server anything on a system without such counters, or more than one question in ten
//! seconds elsewhere; end before it is told to.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    health::{Findings, Health},
    series,
    telemetry::counters::{Provider, Reading, requests},
};
use clawpool_backends::store::Store;
use clawpool_core::{config::Config, figures::Step, task::Timestamp};

/// Between two values.
const TICK: Duration = Duration::from_secs(1);

/// Of attempts that have ended, so many are told of.
const SPAN: Duration = Duration::from_secs(60);

/// Calls that began within a window may end some time after it.
const GRACE: Duration = Duration::from_secs(2);

/// A store that hangs must not hold up what is known without it.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn publish(config: &Config, health: &Health, store: &dyn Store, stop: &CancellationToken) {
    let provider = match Provider::start(instance(config)) {
        Ok(provider) => provider,
        Err(error) => {
            if cfg!(windows) {
                tracing::info!(%error, "this Windows takes no counters; /metrics has the figures");
            }
            return stop.cancelled().await;
        }
    };
    let mut known = Known::default();
    let keep = async {
        loop {
            known.look(health, store).await;
            provider.set(&known.reading);
            sleep(TICK).await;
        }
    };
    stop.run_until_cancelled(keep).await;
}

/// What tells the counters of this process from others': the name of its service.
fn instance(config: &Config) -> &str {
    config.log.event_source.as_deref().unwrap_or("clawpool")
}

#[derive(Default)]
struct Known {
    reading: Reading,
    /// Up to which the attempts are in it.
    until: Option<Timestamp>,
}

impl Known {
    async fn look(&mut self, health: &Health, store: &dyn Store) {
        self.take(&health.findings().await);
        self.reading.requests = requests();
        let late = Timestamp::from_millis(Timestamp::now().as_millis().saturating_sub(millis(GRACE)));
        let until = Step::TenSeconds.window(late);
        if self.until.replace(until) != Some(until) {
            // Without an answer the last one stands.
            let _ = timeout(PATIENCE, self.take_attempts(store, until)).await;
        }
    }

    fn take(&mut self, findings: &Findings) {
        let reading = &mut self.reading;
        if let Some(ready) = findings.ready {
            reading.waiting = ready;
        }
        if let Some(workload) = findings.workload {
            reading.workers = workload.workers;
            reading.running = workload.running;
            reading.completed = workload.completed;
            reading.failed = workload.failed;
            reading.dead = workload.dead;
        }
    }

    /// Of the minute before `until`.
    async fn take_attempts(&mut self, store: &dyn Store, until: Timestamp) {
        let from = Timestamp::from_millis(until.as_millis().saturating_sub(millis(SPAN)));
        let Ok(summary) = series::summary(store, from, until).await else { return };
        let run = summary.spans_where(|subject| subject.kind.starts_with("llm.")).run;
        self.reading.llm_ended = run.count();
        self.reading.llm_millis = run.mean().map(millis).unwrap_or_default();
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::health::Workload;
    use clawpool_backends::store::{ControlStore, FigureStore, Role, Window, sqlite::SqliteStore};
    use clawpool_core::{figures::Subject, task::ProcessId};

    fn found(ready: Option<u64>, workload: Option<Workload>) -> Findings {
        Findings { ready, workload, ..Findings::none(&Config::default()) }
    }

    #[test]
    fn what_is_not_told_keeps_its_last_value() {
        let workload = Workload { workers: 3, running: 2, completed: 90, failed: 8, dead: 1 };
        let mut known = Known::default();
        known.take(&found(Some(7), Some(workload)));
        let told = known.reading;
        let expected =
            Reading { workers: 3, running: 2, waiting: 7, completed: 90, failed: 8, dead: 1, ..told };
        assert_eq!(told, expected);
        known.take(&found(None, None));
        assert_eq!(known.reading, told);
    }

    #[tokio::test]
    async fn the_response_time_is_of_calls_to_models_in_the_last_minute() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.embedded.data = folder.path().into();
        let store = SqliteStore::open(&config).await.unwrap();
        let fence = store.lead(Role::Maintenance, ProcessId::new(), Duration::from_secs(3600));
        let fence = fence.await.unwrap().unwrap();
        let until = Step::TenSeconds.window(Timestamp::now());
        let run = |kind, seconds| Subject::new("normal.p4", kind).run(Duration::from_secs(seconds)).name();
        for (ago, kind, seconds, count) in [
            (10, "llm.chat", 1, 2),
            (60, "llm.embed", 4, 1),
            (30, "web.fetch", 99, 5),
            (70, "llm.chat", 50, 9),
        ] {
            let at = Timestamp::from_millis(until.as_millis() - ago * 1000);
            let window = Window { at, counts: BTreeMap::from([(run(kind, seconds), count)]) };
            store.put_figures(fence, Step::TenSeconds, &window).await.unwrap();
        }
        let mut known = Known::default();
        known.take_attempts(&store, until).await;
        assert_eq!(known.reading.llm_ended, 3);
        // Histograms are within a sixteenth.
        assert!((1900..=2200).contains(&known.reading.llm_millis), "{:?}", known.reading);
        known.take_attempts(&store, until + SPAN + SPAN).await;
        assert_eq!(known.reading, Reading::default(), "none ended");
    }

    #[test]
    fn a_service_is_known_by_its_name() {
        let mut config = Config::default();
        assert_eq!(instance(&config), "clawpool");
        config.log.event_source = Some("clawpool-dispatcher".to_owned());
        assert_eq!(instance(&config), "clawpool-dispatcher");
    }
}
