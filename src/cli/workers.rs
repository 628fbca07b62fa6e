use clap::{Args, Subcommand};

use super::{
    Globals,
    failure::Failure,
    output::{age, plain, table},
    tasks::each,
};
use crate::{
    store::{Page, WorkerInfo},
    task::WorkerId,
};

/// Who works; send workers home
#[derive(Debug, Args)]
pub struct Workers {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every registered worker
    List,
    /// Let workers finish what they run and leave
    Drain {
        #[arg(required = true)]
        ids: Vec<WorkerId>,
    },
}

impl Workers {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        match self.action {
            Action::List => {
                let page: Page<WorkerInfo> = globals.client()?.get("v1/workers", &[]).await?;
                globals.output().show(&page, |page| listing(&page.items))
            }
            Action::Drain { ids } => each(&ids, |id| drain(id, globals)).await,
        }
    }
}

pub(super) fn listing(workers: &[WorkerInfo]) -> String {
    let rows = workers.iter().map(|worker| {
        let beat = &worker.beat;
        let queues: Vec<_> = beat.queues.iter().map(|queue| queue.name()).collect();
        [
            beat.worker.to_string(),
            plain(&beat.pool, 30),
            plain(&beat.host, 30),
            beat.pid.to_string(),
            state(worker).to_owned(),
            format!("{}/{}", beat.running.iter().sum::<u32>(), beat.slots),
            age(beat.started_at),
            age(worker.last_beat),
            queues.join(","),
        ]
    });
    table(["ID", "POOL", "HOST", "PID", "STATE", "RUNNING", "UP", "BEAT AGO", "QUEUES"], rows)
}

const fn state(worker: &WorkerInfo) -> &'static str {
    match (worker.alive, worker.beat.draining) {
        (false, _) => "gone",
        (true, true) => "draining",
        (true, false) => "working",
    }
}

async fn drain(id: WorkerId, globals: &Globals) -> Result<(), Failure> {
    globals.client()?.order(&format!("v1/workers/{id}/drain")).await?;
    globals.output().show(&serde_json::json!({ "id": id, "draining": true }), |_| format!("{id}  draining"))
}
