//! Tasks that wait: do the next ones cost more, on the way in and on the way out, and what does the
//! dispatcher keep?

use std::time::Instant;

use anyhow::{Result, ensure};
use clawpool_backends::broker;
use futures::future::try_join_all;

use super::{flat, sizes};
use crate::{
    goal::{Goal, Target},
    lane::Lane,
    process::{Process, Usage},
    raw::http::Connection,
    rounds::{Contestant, Figure},
    scenario::{Plan, drain::Watch, tasks},
    site::{Pool, Site},
};

const CONNECTIONS: usize = 4;

pub fn join(plan: &mut Plan, site: &Site, lane: Lane) {
    let depths = sizes(site, [10, 10_000, 100_000, 1_000_000], [10, 4_000, 10_000, 40_000], [10, 20, 40, 60]);
    let [next] = sizes(site, [20_000], [4_000], [40]);
    let run = move |site| wait(site, lane, depths, next);
    plan.contestants.push(Contestant::new(format!("waiting tasks, {lane}"), run));
    let [small, large] = [depths[1], depths[3]].map(|depth| name(lane, depth));
    for what in ["enqueue", "run", "run, workers' CPU"] {
        plan.goals.push(flat(what, &small, &large));
    }
    plan.goals.push(Goal::figure(format!("{large}: dispatcher's memory"), Target::AtMost(100.0)));
}

fn name(lane: Lane, depth: usize) -> String {
    format!("{lane}, {depth} waiting")
}

async fn wait(site: Site, lane: Lane, depths: [usize; 4], next: usize) -> Result<Vec<Figure>> {
    let pool = site.pool(lane, "")?;
    let (dispatcher, address) = Process::dispatcher(&pool).await?;
    let mut door = Door::open(&address, lane).await?;
    let mut figures = Vec::new();
    for depth in depths {
        door.enqueue(depth.saturating_sub(ready(&pool).await?)).await?;
        figures.extend(probe(&pool, &mut door, &name(lane, depth), next).await?);
        figures.push(memory(&format!("{}: dispatcher's memory", name(lane, depth)), &[dispatcher.pid])?);
        let servers = site.servers.pids();
        if lane != Lane::Embedded && !servers.is_empty() {
            figures.push(memory(&format!("{}: servers' memory", name(lane, depth)), &servers)?);
        }
    }
    dispatcher.stop().await?;
    pool.clear().await?;
    Ok(figures)
}

/// Of all these processes together.
fn memory(name: &str, pids: &[u32]) -> Result<Figure> {
    let each = pids.iter().map(|pid| Ok(Usage::of(&[*pid])?.memory as f64 / 1e6));
    Ok(Figure::new(name, "MB", each.sum::<Result<f64>>()?))
}

async fn ready(pool: &Pool) -> Result<usize> {
    Ok(usize::try_from(broker::open(&pool.config).await?.depth(pool.lane.queue()).await?.ready)?)
}

/// Enqueues so many tasks more, and has a worker run as many.
async fn probe(pool: &Pool, door: &mut Door, name: &str, next: usize) -> Result<Vec<Figure>> {
    let started = Instant::now();
    door.enqueue(next).await?;
    let put = started.elapsed();
    let watch = Watch::open(pool).await?;
    let worker = [Process::worker(pool)?];
    let emptied = watch.emptied(&worker, next as u64).await?;
    for worker in worker {
        worker.stop().await?;
    }
    let figure = |what: &str, cost| Figure::new(format!("{name}: {what}"), "µs/task", cost);
    let mut figures = vec![
        figure("enqueue", put.as_secs_f64() * 1e6 / next as f64),
        figure("run", 1e6 / emptied.rate()),
        figure("run, workers' CPU", emptied.cpu()),
    ];
    figures.extend(emptied.servers_cpu().map(|cost| figure("run, servers' CPU", cost)));
    Ok(figures)
}

/// Connections to the dispatcher.
struct Door {
    open: Vec<Connection>,
    task: Vec<u8>,
    /// As many as fit into one request.
    batch: Vec<u8>,
}

impl Door {
    async fn open(address: &str, lane: Lane) -> Result<Self> {
        let open = try_join_all((0..CONNECTIONS).map(|_| Connection::open(address))).await?;
        let task = serde_json::to_vec(&tasks::noop(lane.priority())?)?;
        Ok(Self { open, batch: list(&task, tasks::BATCH), task })
    }

    async fn enqueue(&mut self, tasks: usize) -> Result<()> {
        let connections = self.open.len();
        let task = &self.task;
        let batch = &self.batch;
        let posts = self.open.iter_mut().enumerate().map(|(index, connection)| async move {
            // Shares that add up.
            let share = (tasks + index) / connections;
            for _ in 0..share / tasks::BATCH {
                post(connection, batch).await?;
            }
            match share % tasks::BATCH {
                0 => Ok(()),
                rest => post(connection, &list(task, rest)).await,
            }
        });
        try_join_all(posts).await.map(drop)
    }
}

async fn post(connection: &mut Connection, tasks: &[u8]) -> Result<()> {
    let answer = connection.post("/v1/tasks", tasks).await?;
    ensure!(!answer.contains("\"error\""), "a task was refused: {answer:.300}");
    Ok(())
}

/// The same task so many times, as JSON.
fn list(task: &[u8], count: usize) -> Vec<u8> {
    let tasks = vec![task; count].join(b",".as_slice());
    [b"[".as_slice(), &tasks, b"]"].concat()
}
