//! Every way in.

use std::time::Instant;

use anyhow::{Context, Result};
use clawpool_backends::broker;
use clawpool_core::task::NewTask;
use futures::future::try_join_all;
use tokio::time::{Duration, sleep};

use super::{
    Plan,
    ceiling::{self, rate},
    tasks,
};
use crate::{
    goal::{Goal, Target},
    lane::Lane,
    process::Process,
    raw::http::Connection,
    rounds::{Contestant, Figure},
    site::{Pool, Site},
};

pub const ABOUT: &str = "Tasks with payloads of 200 bytes, until the last is durable and answered: by the \
    library one at a time, 64 at a time, and in calls of 1,000 (four under way); over HTTP one a request on \
    64 connections, and 1,000 a request on four; published to the AMQP ingress, until they are in their \
    queue; from a file by the command line.";

/// The lane of the entrances that are not measured on each.
const DOORS: Lane = Lane::Normal;
const TASKS: &str = "/v1/tasks";

pub fn plan() -> Plan {
    let mut plan = Plan { contestants: ceiling::ceilings(), goals: Vec::new() };
    for lane in Lane::ALL {
        plan.contestants.push(by_library(lane, "single", 2_000, 1, 1));
        plan.contestants.push(by_library(lane, "pipelined", 20_000, 1, 64));
        plan.contestants.push(batch(lane));
    }
    for lane in [Lane::Critical, DOORS, Lane::Embedded] {
        plan.contestants.push(http_single(lane));
        plan.contestants.push(by_http(lane, "batch", 100_000, tasks::BATCH, 4));
        let of = format!("HTTP batch, {lane}");
        let to = format!("library batch, {lane}");
        plan.goals.push(Goal::ratio(of, to, Target::AtLeast(0.5)));
    }
    plan.contestants.push(Contestant::new("AMQP ingress", ingress));
    plan.contestants.push(Contestant::new("CLI file", file));
    let targets = [
        (Lane::Critical, 0.5),
        (Lane::High, 0.8),
        (Lane::Normal, 0.8),
        (Lane::Background, 0.8),
        (Lane::Embedded, 0.5),
    ];
    for (lane, target) in targets {
        let of = format!("library batch, {lane}");
        let to = format!("{}: put", lane.ceiling());
        plan.goals.push(Goal::ratio(of, to, Target::AtLeast(target)));
    }
    plan
}

pub fn batch(lane: Lane) -> Contestant {
    by_library(lane, "batch", 100_000, tasks::BATCH, 4)
}

pub fn http_single(lane: Lane) -> Contestant {
    by_http(lane, "single", 20_000, 1, 64)
}

fn by_library(lane: Lane, way: &'static str, tasks: usize, batch: usize, calls: usize) -> Contestant {
    let run = move |site| library(site, lane, way, tasks, batch, calls);
    Contestant::new(format!("library {way}, {lane}"), run)
}

fn by_http(lane: Lane, way: &'static str, tasks: usize, batch: usize, connections: usize) -> Contestant {
    let run = move |site| http(site, lane, way, tasks, batch, connections);
    Contestant::new(format!("HTTP {way}, {lane}"), run)
}

async fn library(
    site: Site,
    lane: Lane,
    way: &str,
    full: usize,
    batch: usize,
    calls: usize,
) -> Result<Vec<Figure>> {
    let pool = site.pool(lane, "")?;
    let count = site.tasks(full);
    let producer = tasks::producer(&pool.config).await?;
    let task = tasks::noop(lane.priority())?;
    // Queues are declared by the first task.
    tasks::accepted(&producer, vec![task.clone()]).await?;
    let started = Instant::now();
    tasks::enqueue(&producer, &task, count, batch, calls).await?;
    let took = started.elapsed();
    drop(producer);
    pool.clear().await?;
    Ok(vec![Figure::new(format!("library {way}, {lane}"), "tasks/s", rate(count, took))])
}

async fn http(
    site: Site,
    lane: Lane,
    way: &str,
    full: usize,
    batch: usize,
    connections: usize,
) -> Result<Vec<Figure>> {
    let pool = site.pool(lane, "")?;
    let (dispatcher, address) = Process::dispatcher(&pool).await?;
    let task = tasks::noop(lane.priority())?;
    first(&address, &task).await?;
    let body =
        if batch == 1 { serde_json::to_vec(&task)? } else { serde_json::to_vec(&vec![task.clone(); batch])? };
    let calls = site.tasks(full).div_ceil(batch * connections);
    let mut open = try_join_all((0..connections).map(|_| Connection::open(&address))).await?;
    let started = Instant::now();
    let posts = open.iter_mut().map(|connection| async {
        for _ in 0..calls {
            let answer = connection.post(TASKS, &body).await?;
            anyhow::ensure!(!answer.contains("\"error\""), "a task was refused: {answer:.300}");
        }
        Ok(())
    });
    try_join_all(posts).await?;
    let took = started.elapsed();
    dispatcher.stop().await?;
    pool.clear().await?;
    Ok(vec![Figure::new(format!("HTTP {way}, {lane}"), "tasks/s", rate(calls * connections * batch, took))])
}

async fn ingress(site: Site) -> Result<Vec<Figure>> {
    let pool = site.pool(DOORS, "")?;
    let (dispatcher, address) = Process::dispatcher(&pool).await?;
    let count = site.tasks(50_000);
    let task = NewTask { priority: None, ..tasks::noop(DOORS.priority())? };
    let exchange = format!("{}.ingress", pool.prefix);
    first(&address, &task).await?;
    crate::raw::rabbitmq::consumed(&site.servers.rabbitmq, &format!("{}.v1.ingress", pool.prefix)).await?;
    let started = Instant::now();
    crate::raw::rabbitmq::publish(&site.servers.rabbitmq, &exchange, &serde_json::to_vec(&task)?, count)
        .await?;
    arrived(&pool, count + 1).await?;
    let took = started.elapsed();
    dispatcher.stop().await?;
    pool.clear().await?;
    Ok(vec![Figure::new("AMQP ingress", "tasks/s", rate(count, took))])
}

/// The first task makes its queue, which is not part of what is measured. Two who make a queue at once can
/// even keep each other waiting: RabbitMQ then leaves one of them without an answer.
async fn first(address: &str, task: &NewTask) -> Result<()> {
    Connection::open(address).await?.post(TASKS, &serde_json::to_vec(task)?).await.map(drop)
}

/// Until so many tasks are ready in their queue.
async fn arrived(pool: &Pool, count: usize) -> Result<()> {
    let broker = broker::open(&pool.config).await?;
    let deadline = Instant::now() + Duration::from_secs(120);
    while broker.depth(pool.lane.queue()).await?.ready < count as u64 {
        anyhow::ensure!(Instant::now() < deadline, "the tasks did not arrive in their queue");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn file(site: Site) -> Result<Vec<Figure>> {
    let pool = site.pool(DOORS, "")?;
    let (dispatcher, address) = Process::dispatcher(&pool).await?;
    let count = site.tasks(50_000);
    let task = tasks::noop(DOORS.priority())?;
    first(&address, &task).await?;
    let line = serde_json::to_string(&task)? + "\n";
    let path = site.folder().join("tasks.jsonl");
    std::fs::write(&path, line.repeat(count))?;
    let path = path.to_str().context("the folder's name is not text")?;
    let started = Instant::now();
    let url = format!("http://{address}");
    let mut enqueue = Process::start(&pool, &["clawpool", "--url", &url, "enqueue", "--file", path], &[])?;
    enqueue.ended().await?;
    let took = started.elapsed();
    dispatcher.stop().await?;
    pool.clear().await?;
    Ok(vec![Figure::new("CLI file", "tasks/s", rate(count, took))])
}
