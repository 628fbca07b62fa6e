use serde::Serialize;

use clawpool_backends::store::{Page, WorkerInfo};
use clawpool_core::task::Timestamp;
use clawpool_engine::client::{
    Client, ClientError, PoolStatus,
    figures::{ClassSlaView, SlaView},
    health::HealthView,
    view::{AlertView, AutoscalerView, QueueView, QueuesView},
};

/// What the dispatcher said of everything at one time.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Snapshot {
    pub at: Timestamp,
    pub health: HealthView,
    pub queues: Vec<QueueView>,
    pub workers: Vec<WorkerInfo>,
    pub pools: Vec<PoolStatus>,
    pub classes: Vec<ClassSlaView>,
    pub alerts: Vec<AlertView>,
}

/// Alerts that are looked at.
const ALERTS: usize = 100;

impl Snapshot {
    /// Asks for all at once. The first error is that of the whole.
    pub(super) async fn ask(client: &Client) -> Result<Self, ClientError> {
        let limit = [("limit", ALERTS.to_string())];
        let (health, queues, workers, pools, classes, alerts) = tokio::try_join!(
            client.health(),
            client.get::<QueuesView>("v1/queues", &[]),
            client.get::<Page<WorkerInfo>>("v1/workers", &[]),
            client.get::<AutoscalerView>("v1/autoscaler", &[]),
            client.get::<SlaView>("v1/sla", &[]),
            client.get::<Page<AlertView>>("v1/alerts", &limit),
        )?;
        Ok(Self {
            at: Timestamp::now(),
            health,
            queues: queues.items,
            workers: workers.items,
            pools: pools.items,
            classes: classes.items,
            alerts: alerts.items,
        })
    }
}
