use clap::{Args, Subcommand};

use super::{
    Globals,
    failure::Failure,
    output::{age, fields, moment, plain, span, table, word},
    select::pages,
    tasks::each,
};
use clawpool_backends::store::{Page, WorkerInfo};
use clawpool_core::task::ProcessId;
use clawpool_server::supervise::CrashReport;

/// Who works; send workers home
#[derive(Debug, Args)]
pub(super) struct Workers {
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
        ids: Vec<ProcessId>,
    },
    /// What is known of workers that died, latest first
    Crashes {
        /// This worker's alone, in full
        id: Option<ProcessId>,
        #[arg(long, value_name = "POOL")]
        pool: Option<String>,
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: usize,
    },
    /// Start the workers of a pool that are down, whatever its restart policy says
    Restart { pool: String },
}

impl Workers {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        match self.action {
            Action::List => {
                let page: Page<WorkerInfo> = globals.client()?.get("v1/workers", &[]).await?;
                globals.output().show(&page, |page| listing(&page.items))
            }
            Action::Crashes { id: Some(id), .. } => crash(id, globals).await,
            Action::Crashes { id: None, pool, limit } => {
                let query: Vec<_> = pool.map(|pool| ("pool", pool)).into_iter().collect();
                let page = pages(&globals.client()?, "v1/workers/crashes", &query, limit).await?;
                globals.output().show(&page, |page| crashes(&page.items))
            }
            Action::Restart { pool } => {
                globals.client()?.order(&format!("v1/pools/{pool}/restart")).await?;
                globals
                    .output()
                    .show(&serde_json::json!({ "pool": pool, "asked": true }), |_| format!("{pool}  asked"))
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

pub(super) const fn state(worker: &WorkerInfo) -> &'static str {
    match (worker.alive, worker.beat.draining) {
        (false, _) => "gone",
        (true, true) => "draining",
        (true, false) => "working",
    }
}

async fn drain(id: ProcessId, globals: &Globals) -> Result<(), Failure> {
    globals.client()?.order(&format!("v1/workers/{id}/drain")).await?;
    globals.output().show(&serde_json::json!({ "id": id, "draining": true }), |_| format!("{id}  draining"))
}

fn crashes(reports: &[CrashReport]) -> String {
    let rows = reports.iter().map(|report| {
        [
            moment(report.at),
            report.worker.to_string(),
            plain(&report.pool, 30),
            word(&report.cause),
            word(&report.severity),
            plain(&report.exit, 40),
            span(report.lived),
            report.tasks.len().to_string(),
        ]
    });
    table(["AT", "WORKER", "POOL", "TYPE", "SEVERITY", "END", "LIVED", "TASKS"], rows)
}

async fn crash(id: ProcessId, globals: &Globals) -> Result<(), Failure> {
    let page = pages::<CrashReport>(&globals.client()?, "v1/workers/crashes", &[], usize::MAX).await?;
    let report = page.items.into_iter().find(|report| report.worker == id);
    let report = report.ok_or_else(|| Failure::failed(format!("no crash of worker {id} is known")))?;
    globals.output().show(&report, details)
}

fn details(report: &CrashReport) -> String {
    let tasks: Vec<_> = report.tasks.iter().map(ToString::to_string).collect();
    let head = fields([
        ("worker", Some(report.worker.to_string())),
        ("pool", Some(plain(&report.pool, 80))),
        ("pid", Some(report.pid.to_string())),
        ("at", Some(moment(report.at))),
        ("type", Some(word(&report.cause))),
        ("severity", Some(word(&report.severity))),
        ("end", Some(plain(&report.exit, 200))),
        ("lived", Some(span(report.lived))),
        ("cpu", report.usage.map(|usage| format!("{:.0} %", usage.cpu))),
        ("memory", report.usage.map(|usage| bytesize::ByteSize(usage.memory).to_string())),
        ("tasks", Some(tasks.join(" ")).filter(|text| !text.is_empty())),
    ]);
    let log: Vec<_> = report.log.iter().map(|line| plain(line, 1_000)).collect();
    format!("{head}\n\n{}", log.join("\n"))
}
