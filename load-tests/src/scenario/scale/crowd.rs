//! Workers: what one costs idle and at work, alone and in a crowd.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::{flat, sizes};
use crate::{
    goal::{Goal, Target},
    lane::Lane,
    process::{Process, Usage},
    rounds::{Contestant, Figure},
    scenario::{Plan, drain::Watch, tasks},
    site::{Site, Size},
};

/// Of each worker.
const SLOTS: u16 = 10;

pub fn join(plan: &mut Plan, site: &Site) {
    let crowds = sizes(site, [1, 10, 100], [1, 5, 20], [1, 2, 3]);
    let [tasks] = sizes(site, [40_000], [8_000], [40]);
    for workers in crowds {
        plan.contestants.push(Contestant::new(name(workers), move |site| crowd(site, workers, tasks)));
    }
    let [small, _, large] = crowds.map(name);
    for what in ["idle, memory", "idle, servers' CPU for each", "run, workers' CPU", "run, servers' CPU"] {
        plan.goals.push(flat(what, &small, &large));
    }
    plan.goals.push(Goal::figure(format!("{small}: idle, memory"), Target::AtMost(20.0)));
}

fn name(workers: usize) -> String {
    format!("{workers} worker{}", if workers == 1 { "" } else { "s" })
}

async fn crowd(site: Site, workers: usize, tasks: usize) -> Result<Vec<Figure>> {
    let site = site.with_slots(SLOTS);
    let pool = site.pool(Lane::Normal, "")?;
    let mut crowd: Vec<Process> = (0..workers).map(|_| Process::worker(&pool)).collect::<Result<_>>()?;
    for worker in &mut crowd {
        worker.ready().await?;
    }
    let mut figures = idle(&site, &crowd).await?;
    let watch = Watch::open(&pool).await?;
    let producer = tasks::producer(&pool.config).await?;
    let task = tasks::noop(Lane::Normal.priority())?;
    let work = tasks::enqueue(&producer, &task, tasks, tasks::BATCH, 4);
    let (emptied, enqueued) = tokio::join!(watch.emptied(&crowd, tasks as u64), work);
    enqueued?;
    let emptied = emptied?;
    for worker in crowd {
        worker.stop().await?;
    }
    figures.push(("run", "µs/task", 1e6 / emptied.rate()));
    figures.push(("run, workers' CPU", "µs/task", emptied.cpu()));
    figures.extend(emptied.servers_cpu().map(|cost| ("run, servers' CPU", "µs/task", cost)));
    pool.clear().await?;
    let named = |(what, unit, value)| Figure::new(format!("{}: {what}", name(workers)), unit, value);
    Ok(figures.into_iter().map(named).collect())
}

/// Of workers with nothing to do: memory of the largest, processor time of each and what it costs the
/// servers.
async fn idle(site: &Site, crowd: &[Process]) -> Result<Vec<(&'static str, &'static str, f64)>> {
    let span = match site.size {
        Size::Full => Duration::from_secs(10),
        Size::Quick => Duration::from_secs(2),
        Size::Smoke => Duration::from_millis(200),
    };
    let pids: Vec<u32> = crowd.iter().map(|worker| worker.pid).collect();
    let servers = site.servers.pids();
    let before = (Usage::of(&pids)?, Usage::of(&servers)?);
    sleep(span).await;
    let after = (Usage::of(&pids)?, Usage::of(&servers)?);
    let each = |after: Usage, before: Usage| {
        (after.cpu.saturating_sub(before.cpu)).as_secs_f64() * 1e3 / span.as_secs_f64() / crowd.len() as f64
    };
    let mut figures = vec![
        ("idle, memory", "MB", after.0.memory as f64 / 1e6),
        ("idle, CPU of each", "ms/s", each(after.0, before.0)),
    ];
    if !servers.is_empty() {
        figures.push(("idle, servers' CPU for each", "ms/s", each(after.1, before.1)));
    }
    Ok(figures)
}
