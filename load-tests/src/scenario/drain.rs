//! Workers that empty a full queue of tasks that do nothing.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use clawpool_backends::{
    broker::{self, Broker},
    store::{self, Store},
};
use clawpool_core::task::Queue;
use tokio::time::{Instant, sleep};

use super::{Plan, ceiling, tasks};
use crate::{
    goal::{Goal, Target},
    lane::Lane,
    process::{Process, Usage},
    rounds::{Contestant, Figure},
    site::{Pool, Site, Size},
};

pub const ABOUT: &str = "Tasks that do nothing wait in their queue; one worker process (then 2 and 4) \
    starts, and the time is taken from the last moment without an outcome in the store to the last outcome. \
    CPU is user and system time for each task, of the workers and of the servers; memory is what the \
    largest worker has resident at the end.";

pub fn plan(site: &Site) -> Plan {
    let mut plan = Plan { contestants: ceiling::ceilings(), goals: Vec::new() };
    let workers: &[usize] = if site.size == Size::Full { &[1, 2, 4] } else { &[1] };
    for workers in workers.iter().copied() {
        for lane in Lane::ALL {
            plan.contestants.push(by_workers(lane, workers));
        }
    }
    for (lane, target) in
        [(Lane::Critical, 0.5), (Lane::Normal, 0.6), (Lane::High, 0.8), (Lane::Embedded, 0.5)]
    {
        let of = format!("{}: rate", name(lane, 1));
        let to = format!("{}: get", lane.ceiling());
        plan.goals.push(Goal::ratio(of, to, Target::AtLeast(target)));
    }
    for lane in Lane::ALL {
        plan.goals.push(Goal::figure(format!("{}: memory", name(lane, 1)), Target::AtMost(60.0)));
    }
    plan
}

pub fn one_worker(lane: Lane) -> Contestant {
    by_workers(lane, 1)
}

fn by_workers(lane: Lane, workers: usize) -> Contestant {
    Contestant::new(name(lane, workers), move |site| drain(site, lane, workers))
}

fn name(lane: Lane, workers: usize) -> String {
    format!("drain {lane}, {workers} worker{}", if workers == 1 { "" } else { "s" })
}

const fn tasks_of(lane: Lane) -> usize {
    match lane {
        Lane::Critical => 150_000,
        Lane::Normal | Lane::Background | Lane::Embedded => 60_000,
        Lane::High => 40_000,
    }
}

async fn drain(site: Site, lane: Lane, workers: usize) -> Result<Vec<Figure>> {
    let pool = site.pool(lane, "")?;
    let count = site.tasks(tasks_of(lane));
    let producer = tasks::producer(&pool.config).await?;
    tasks::enqueue(&producer, &tasks::noop(lane.priority())?, count, tasks::BATCH, 4).await?;
    drop(producer);
    let watch = Watch::open(&pool).await?;
    let processes: Vec<_> = (0..workers).map(|_| Process::worker(&pool)).collect::<Result<_>>()?;
    let emptied = watch.emptied(&processes, count as u64).await?;
    ensure!(emptied.tasks == count as u64, "{} outcomes of {count} tasks", emptied.tasks);
    for process in processes {
        process.stop().await?;
    }
    watch.nothing_left().await?;
    drop(watch);
    pool.clear().await?;
    Ok(emptied.figures(&name(lane, workers)))
}

/// What happened between the first outcome and the last.
pub struct Emptied {
    tasks: u64,
    took: Duration,
    workers: Usage,
    servers: Duration,
}

impl Emptied {
    pub fn rate(&self) -> f64 {
        self.tasks as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// Microseconds of the workers' processors for each task.
    pub fn cpu(&self) -> f64 {
        self.workers.cpu.as_secs_f64() * 1e6 / self.tasks as f64
    }

    /// Microseconds of the servers' processors; none when they did not work, or cannot be watched.
    pub fn servers_cpu(&self) -> Option<f64> {
        (!self.servers.is_zero()).then(|| self.servers.as_secs_f64() * 1e6 / self.tasks as f64)
    }

    fn figures(&self, name: &str) -> Vec<Figure> {
        let mut figures = vec![
            Figure::new(format!("{name}: rate"), "tasks/s", self.rate()),
            Figure::new(format!("{name}: workers' CPU"), "µs/task", self.cpu()),
        ];
        figures.extend(
            self.servers_cpu().map(|cpu| Figure::new(format!("{name}: servers' CPU"), "µs/task", cpu)),
        );
        figures.push(Figure::new(format!("{name}: memory"), "MB", self.workers.memory as f64 / 1e6));
        figures
    }
}

async fn total(store: &dyn Store, queue: Queue) -> Result<u64> {
    Ok(store.totals().await?.get(&queue).map_or(0, |totals| totals.completed))
}

/// Looks at a pool from outside.
pub struct Watch {
    /// Outcomes that were there before.
    before: u64,
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    queue: Queue,
    servers: Vec<u32>,
}

impl Watch {
    pub async fn open(pool: &Pool) -> Result<Self> {
        let store = store::open(&pool.config).await?;
        let broker = broker::open(&pool.config).await?;
        let embedded = pool.lane == Lane::Embedded;
        let servers = if embedded { Vec::new() } else { pool.site().servers.pids() };
        let queue = pool.lane.queue();
        Ok(Self { before: total(&*store, queue).await?, store, broker, queue, servers })
    }

    /// Outcomes of completed tasks since it looks, as the store counts them.
    async fn completed(&self) -> Result<u64> {
        Ok(total(&*self.store, self.queue).await? - self.before)
    }

    /// Until as many outcomes are there. The time runs from the last look that found none.
    pub async fn emptied(&self, workers: &[Process], tasks: u64) -> Result<Emptied> {
        let pids: Vec<u32> = workers.iter().map(|process| process.pid).collect();
        let mut completed = 0;
        let mut since = Instant::now();
        let mut started = since;
        let mut before = Usage::default();
        let mut servers = Duration::ZERO;
        while completed < tasks {
            if completed == 0 {
                started = Instant::now();
                before = Usage::of(&pids)?;
                servers = Usage::of(&self.servers)?.cpu;
            }
            let now = self.completed().await?;
            if now > completed {
                completed = now;
                since = Instant::now();
            } else if since.elapsed() > Duration::from_secs(60) {
                bail!("no outcome for a minute after {completed} of them");
            }
            sleep(Duration::from_millis(5)).await;
        }
        let took = started.elapsed();
        let after = Usage::of(&pids)?;
        let workers = Usage { cpu: after.cpu.saturating_sub(before.cpu), memory: after.memory };
        let servers = Usage::of(&self.servers)?.cpu.saturating_sub(servers);
        Ok(Emptied { tasks: completed, took, workers, servers })
    }

    /// Every message was acknowledged: what a worker still held would be ready again now that it has left.
    pub async fn nothing_left(&self) -> Result<()> {
        let depth = self.broker.depth(self.queue).await.context("the depth of the emptied queue")?;
        ensure!(depth.ready == 0, "{} messages were left in the queue", depth.ready);
        Ok(())
    }
}
