use std::{sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

/// Upper bounds of the duration buckets, in seconds: fine around what is promised and what alerts ask for
/// (spec S1, S12).
pub(super) const BUCKETS: [f64; 17] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Between two foldings of what was recorded; keeps memory small when the metrics are not read.
const UPKEEP: Duration = Duration::from_secs(5);

/// This process's metrics.
pub struct Metrics {
    handle: PrometheusHandle,
}

static METRICS: OnceLock<Metrics> = OnceLock::new();

/// Starts recording with the first call. Programs that never call it, and never show metrics, record nothing.
pub fn metrics() -> &'static Metrics {
    METRICS.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        // Fails only for an empty list.
        let builder = builder.set_buckets(&BUCKETS).unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Another recorder, of an embedding program, keeps its place; ours is then empty.
        let _ = ::metrics::set_global_recorder(recorder);
        super::described::describe_all();
        ::metrics::gauge!("clawpool_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Metrics { handle }
    })
}

impl Metrics {
    /// The text that Prometheus reads.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds what was recorded into its buckets again and again, until `stop`.
    pub async fn keep(&self, stop: &CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(UPKEEP)).await.is_some() {
            self.handle.run_upkeep();
        }
    }
}
