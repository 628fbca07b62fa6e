//! `clawpool demo`: real processes, real work, real crashes, and a ledger kept outside of the system that
//! says at the end whether anything was lost. Needs nothing but this program.

mod check;
mod ledger;
mod plan;
mod report;
mod show;
mod site;
mod tool;
mod work;

use std::{path::PathBuf, time::Duration};

use clap::Args;
use tokio::time::{Instant, sleep};

use self::{
    check::Check,
    plan::{Plan, Planned},
    report::Report,
    show::Show,
    site::Site,
};
use super::{Globals, failure::Failure};
use clawpool_backends::store::{Page, Record, WorkerInfo};
use clawpool_core::task::{TaskId, Timestamp};
use clawpool_engine::client::{
    Client,
    view::{BatchLine, QueueView},
};

pub(super) use tool::DemoTool;
pub(super) use work::DemoWorker;

/// Watch the whole system work: two thousand tasks, failures, a killed worker, nothing lost
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Keep the folder with data, logs and ledger
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// How many tasks, about
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    tasks: u32,
}

/// A demo that has not ended by then has failed.
const PATIENCE: Duration = Duration::from_secs(300);

impl Demo {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let site = Site::prepare(self.keep)?;
        let mut server = site.start().await?;
        let client = Client::new(&site.url(), None)?;
        let ended = tokio::select! {
            ended = play(&site, &client, self.tasks) => ended,
            status = server.wait() => Err(Failure::failed(format_args!("`clawpool up` ended early \
                ({status:?}); see {}", site.log().display()))),
        };
        server.stop().await;
        let report = ended?;
        globals.output().show(&report, Report::table)?;
        if report.balanced() { Ok(()) } else { Err(Failure::failed("the ledger does not balance")) }
    }
}

async fn play(site: &Site, client: &Client, tasks: u32) -> Result<Report, Failure> {
    let plan = Plan::new(tasks, site);
    let mut show = Show::new(&plan);
    let mut check = Check::new(site);
    all_at_work(client, Timestamp::default()).await?;
    // The background queue stands still until some of its tasks have expired. Workers hear of it with a
    // heartbeat.
    client.order("v1/queues/background/pause").await?;
    all_at_work(client, Timestamp::now()).await?;
    for batch in plan.tasks.chunks(500) {
        enqueue(client, &mut check, batch).await?;
    }
    show.say(&format!("{} of {} tasks accepted; the last one comes later", check.accepted(), plan.count()));
    cancel(client, check.waiting_to_cancel()).await?;
    sleep(plan::SHORT_LIFE).await;
    client.order("v1/queues/background/resume").await?;
    let start = Instant::now();
    let mut killed = None;
    while check.look(client).await? || killed.is_none() {
        show.update(&check);
        if check.running_to_cancel().is_empty() && check.poison_is_dead() {
            enqueue(client, &mut check, std::slice::from_ref(&plan.long)).await?;
        } else if killed.is_none() && check.poison_is_dead() && check.open() * 2 < check.accepted() {
            killed = kill_a_worker(client).await?;
            if let Some(pid) = killed {
                show.say(&format!("killed worker process {pid} with signal 9"));
                cancel(client, check.running_to_cancel()).await?;
            }
        }
        if start.elapsed() > PATIENCE {
            show.say("time is up");
            break;
        }
        sleep(Duration::from_millis(250)).await;
    }
    show.update(&check);
    show.finish();
    let queues: Page<QueueView> = client.get("v1/queues", &[]).await?;
    check.finish(&queues.items)
}

/// Returns when every worker has beaten since `since`.
async fn all_at_work(client: &Client, since: Timestamp) -> Result<(), Failure> {
    loop {
        let workers: Page<WorkerInfo> = client.get("v1/workers", &[]).await?;
        let heard = workers.items.iter().filter(|worker| worker.last_beat > since).count();
        if heard >= site::WORKERS {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn enqueue(client: &Client, check: &mut Check<'_>, planned: &[Planned]) -> Result<(), Failure> {
    let tasks: Vec<_> = planned.iter().map(|planned| &planned.task).collect();
    let answers: Vec<BatchLine> = client.post("v1/tasks", &tasks).await?;
    check.accept(planned, answers)
}

async fn cancel(client: &Client, ids: Vec<TaskId>) -> Result<(), Failure> {
    for id in ids {
        let _: serde_json::Value = client.delete(&format!("v1/tasks/{id}"), &[]).await?;
    }
    Ok(())
}

/// Ends one worker that has work in its hands, with no chance to tidy up.
async fn kill_a_worker(client: &Client) -> Result<Option<u32>, Failure> {
    let workers: Page<WorkerInfo> = client.get("v1/workers", &[]).await?;
    let running = |worker: &&WorkerInfo| worker.beat.running.iter().sum::<u32>();
    let busiest = workers.items.iter().filter(|worker| running(worker) > 0).max_by_key(running);
    let Some(busiest) = busiest.map(|worker| worker.beat.pid) else { return Ok(None) };
    let pid = sysinfo::Pid::from_u32(busiest);
    let mut system = sysinfo::System::new().map_err(Failure::failed)?;
    system.refresh_processes(sysinfo::ProcessesToUpdate::Some(&[pid]), true);
    Ok(system.process(pid).filter(|process| process.kill()).map(|_| busiest))
}

async fn record(client: &Client, id: TaskId) -> Result<Record, Failure> {
    Ok(client.get(&format!("v1/tasks/{id}"), &[]).await?)
}
