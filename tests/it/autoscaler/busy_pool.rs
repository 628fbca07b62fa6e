use std::collections::BTreeSet;

use clawpool_core::task::TaskId;
use serde_json::json;

use super::{pids, pool, size};
use crate::support::{Process, Servers, System, balance, task};

/// A pool at its largest, three workers, all busy until the gate "outage" opens.
pub(crate) struct BusyPool {
    pub(crate) system: System,
    pub(crate) autoscaler: Process,
    pub(crate) tasks: Vec<TaskId>,
    /// Their processes.
    pub(crate) workers: BTreeSet<u32>,
}

impl BusyPool {
    pub(crate) async fn start(servers: &Servers) -> Self {
        let system = System::apart(0, pool(servers.settings(), 1, 3)).await;
        let autoscaler = system.autoscaler(&[]);
        let api = &system.api;
        size(api, 1).await;
        let tasks = api.enqueue_all(vec![task("P4", json!({"hold": "outage"})); 6]).await;
        let workers = pids(&size(api, 3).await);
        Self { system, autoscaler, tasks, workers }
    }

    /// All was done, and the pool becomes small again.
    pub(crate) async fn end(mut self) {
        let balance = balance(&self.system.api, &self.system.ledger, &self.tasks, 6).await;
        assert_eq!(balance.completed, 6, "{balance:?}");
        size(&self.system.api, 1).await;
        self.autoscaler.stop().await;
        self.system.stop().await;
    }
}
