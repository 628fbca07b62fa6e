//! Workers that die, or stand still, under load.

use std::time::Duration;

use anyhow::{Result, ensure};
use sysinfo::Signal;
use tokio::time::sleep;

use super::{
    Plan,
    marks::{self, Ledger, quantile},
    tasks,
};
use crate::{
    lane::Lane,
    process::Process,
    rounds::{Contestant, Figure},
    site::{Site, Size},
    worker::nanoseconds,
};

pub const ABOUT: &str = "Two workers without a supervisor, under a steady load of 200 tasks a second that \
    take 50 ms; one is killed (signal 9), or stopped (SIGSTOP) and continued at the end, in the middle of \
    it. From that moment to the next start of each task that it ran; tasks that were started again although \
    their handler had returned (duplicates) and tasks that were never completed (lost).";

const TAKES: Duration = Duration::from_millis(50);

pub fn plan() -> Plan {
    let mut plan = Plan::default();
    for lane in [Lane::Critical, Lane::Normal, Lane::Embedded] {
        for signal in [Signal::Kill, Signal::Stop] {
            // Stopped in the middle of a write, a process keeps the file's lock, and no other writes until
            // it is killed. That is its supervisor's part; without one there is nothing to measure.
            if lane == Lane::Embedded && signal == Signal::Stop {
                continue;
            }
            plan.contestants.push(contestant(lane, signal));
        }
    }
    plan
}

/// A worker that is killed.
pub fn killed(lane: Lane) -> Contestant {
    contestant(lane, Signal::Kill)
}

fn contestant(lane: Lane, signal: Signal) -> Contestant {
    Contestant::new(format!("{}, {lane}", name(signal)), move |site| recover(site, lane, signal))
}

fn name(signal: Signal) -> &'static str {
    if signal == Signal::Kill { "kill -9" } else { "SIGSTOP" }
}

async fn recover(site: Site, lane: Lane, signal: Signal) -> Result<Vec<Figure>> {
    let pool = site.pool(lane, "")?;
    let ledger = Ledger::new(&pool)?;
    // The leader returns dead workers' tasks.
    let (dispatcher, _) = Process::dispatcher(&pool).await?;
    let producer = tasks::producer(&pool.config).await?;
    let mut victim = ledger.worker(&pool)?;
    let mut other = ledger.worker(&pool)?;
    victim.ready().await?;
    other.ready().await?;
    let span = Duration::from_secs(if site.size == Size::Smoke { 1 } else { 6 });
    let doomed = victim.pid;
    let task = |number| marks::mark(number, lane.priority(), TAKES);
    let strike = async {
        sleep(span / 2).await;
        victim.signal(signal);
        nanoseconds()
    };
    let (count, struck) = tokio::join!(marks::steady(&producer, 200.0, span, task), strike);
    let count = count?;
    marks::completed(&pool, count).await?;
    victim.signal(Signal::Continue);
    victim.signal(Signal::Kill);
    other.stop().await?;
    dispatcher.stop().await?;
    let starts = ledger.starts()?;
    ensure!(starts.len() as u64 == count, "{} of {count} tasks are in the ledger", starts.len());
    let again = starts.values().filter(|starts| starts.len() > 1 && starts[0].worker == doomed);
    let mut waits = Vec::new();
    let mut duplicates = 0u32;
    for starts in again {
        waits.push(starts[1].started.saturating_sub(struck) as f64 / 1e6);
        let over = starts[0].started + TAKES.as_nanos() as u64;
        duplicates += u32::from(over < struck);
    }
    pool.clear().await?;
    let figure =
        |what: &str, unit, value| Figure::new(format!("{}, {lane}: {what}", name(signal)), unit, value);
    Ok(vec![
        figure("tasks started again", "tasks", waits.len() as f64),
        figure("next start, median", "ms", quantile(&mut waits, 0.5)),
        figure("next start, last", "ms", quantile(&mut waits, 1.0)),
        figure("duplicates", "tasks", f64::from(duplicates)),
        figure("lost", "tasks", (count - starts.len() as u64) as f64),
    ])
}
