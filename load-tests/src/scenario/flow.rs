//! Steady load: how long a task waits from its enqueue to the start of its handler.

use std::time::Duration;

use anyhow::Result;
use clawpool_core::task::Priority;
use tokio::time::Instant;

use super::{
    Plan,
    marks::{self, Ledger},
    tasks,
};
use crate::{
    goal::{Goal, Target},
    lane::Lane,
    rounds::{Contestant, Figure},
    site::{Site, Size},
};

pub const ABOUT: &str = "Equal shares of P0 to P6 at 30, 60 and 90 % of what one worker of the cluster \
    profile can do with them (measured first, from full queues), for five seconds; from the call of the \
    producer to the start of the handler. A round trip is one durable SET on Redis, one after another.";

pub fn plan() -> Plan {
    let limit = "limit: 3 round trips + 1 ms";
    let goal = Goal::ratio("30 %: P0 p99", limit, Target::AtMost(1.0));
    Plan { contestants: vec![Contestant::new("flow", flow)], goals: vec![goal] }
}

async fn flow(site: Site) -> Result<Vec<Figure>> {
    let round_trip = round_trip(&site).await?;
    let mut figures = vec![
        Figure::new("round trip to Redis: median", "ms", round_trip),
        Figure::new("limit: 3 round trips + 1 ms", "ms", 3.0 * round_trip + 1.0),
    ];
    let capacity = capacity(&site).await?;
    figures.push(Figure::new("capacity", "tasks/s", capacity));
    for share in [30, 60, 90] {
        figures.extend(steady(&site, share, capacity).await?);
    }
    Ok(figures)
}

async fn round_trip(site: &Site) -> Result<f64> {
    let mut redis =
        redis::Client::open(site.servers.redis.as_str())?.get_multiplexed_async_connection().await?;
    let mut took = Vec::new();
    for _ in 0..1000 {
        let started = Instant::now();
        redis::cmd("SET")
            .arg("{load-round-trip}")
            .arg(1)
            .arg("EX")
            .arg(60)
            .query_async::<()>(&mut redis)
            .await?;
        took.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(marks::quantile(&mut took, 0.5))
}

/// Tasks a second of one worker with full queues of all priorities.
async fn capacity(site: &Site) -> Result<f64> {
    let pool = site.pool(Lane::Normal, "")?;
    let ledger = Ledger::new(&pool)?;
    let count = site.count(50_000) as u64;
    let producer = tasks::producer(&pool.config).await?;
    for from in (0..count).step_by(tasks::BATCH) {
        let numbers = from..count.min(from + tasks::BATCH as u64);
        let batch = numbers.map(|n| marks::mark(n, Priority::ALL[n as usize % 7], Duration::ZERO));
        tasks::accepted(&producer, batch.collect::<Result<_>>()?).await?;
    }
    let worker = ledger.worker(&pool)?;
    marks::completed(&pool, count).await?;
    worker.stop().await?;
    let starts = ledger.starts()?;
    let times = starts.values().flatten().map(|start| start.started);
    let (first, last) = times.fold((u64::MAX, 0), |(first, last), time| (first.min(time), last.max(time)));
    pool.clear().await?;
    Ok(count as f64 / (last.saturating_sub(first).max(1) as f64 / 1e9))
}

async fn steady(site: &Site, share: u32, capacity: f64) -> Result<Vec<Figure>> {
    let pool = site.pool(Lane::Normal, "")?;
    let ledger = Ledger::new(&pool)?;
    let producer = tasks::producer(&pool.config).await?;
    let mut worker = ledger.worker(&pool)?;
    worker.ready().await?;
    let span = if site.size == Size::Smoke { Duration::from_millis(300) } else { Duration::from_secs(5) };
    let per_second = if site.size == Size::Smoke { 200.0 } else { capacity * f64::from(share) / 100.0 };
    let any = |number| marks::mark(number, Priority::ALL[number as usize % 7], Duration::ZERO);
    let count = marks::steady(&producer, per_second, span, any).await?;
    marks::completed(&pool, count).await?;
    worker.stop().await?;
    let starts = ledger.firsts(count)?;
    let mut figures = vec![Figure::new(format!("{share} %: load"), "tasks/s", per_second)];
    for priority in Priority::ALL {
        let mut waits = marks::waits(&starts, priority);
        figures.extend(marks::quantiles(&format!("{share} %: {priority}"), &mut waits));
    }
    pool.clear().await?;
    Ok(figures)
}

/// Single tasks to an idle worker, 50 a second.
pub async fn single(site: Site, lane: Lane) -> Result<Vec<Figure>> {
    let pool = site.pool(lane, "")?;
    let ledger = Ledger::new(&pool)?;
    let producer = tasks::producer(&pool.config).await?;
    let mut worker = ledger.worker(&pool)?;
    worker.ready().await?;
    let span = Duration::from_millis(20) * u32::try_from(site.count(500))?;
    let task = |number| marks::mark(number, lane.priority(), Duration::ZERO);
    let count = marks::steady(&producer, 50.0, span, task).await?;
    marks::completed(&pool, count).await?;
    worker.stop().await?;
    let mut waits = marks::waits(&ledger.firsts(count)?, lane.priority());
    pool.clear().await?;
    Ok(marks::quantiles(&format!("latency, {lane}:"), &mut waits))
}
