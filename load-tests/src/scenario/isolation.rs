//! Urgent tasks beside a flood of others.

use std::{pin::pin, time::Duration};

use anyhow::{Result, ensure};
use clawpool_backends::broker::{self, Broker};
use clawpool_core::task::{NewTask, Payload, Priority, Queue};
use clawpool_engine::dispatch::Producer;
use futures::future::{Either, select};
use tokio::time::sleep;

use super::{
    Plan,
    marks::{self, Ledger},
    tasks,
};
use crate::{
    goal::{Goal, Target},
    lane::Lane,
    process::Process,
    rounds::{Contestant, Figure},
    site::{Pool, Site, Size},
    worker::{REST, Start, nanoseconds},
};

pub const ABOUT: &str = "P0 and P1 in turn, 200 tasks a second, on two workers: alone, and while 500,000 \
    P4, P5 and P6 tasks wait (100,000 with --quick) and are drained by the same workers. Tasks of the flood \
    do nothing, so that the machine is the limit, or take 50 ms, so that the slots are. From the call of \
    the producer to the start of the handler, of tasks that were enqueued while the flood lasted: its first \
    three seconds, for a call knows no warm-up, and apart from them what came after.";

const PER_SECOND: f64 = 200.0;
const WORKERS: usize = 2;
const URGENT: [Priority; 2] = [Priority::P0, Priority::P1];
const OTHERS: [Priority; 3] = [Priority::P4, Priority::P5, Priority::P6];

#[derive(Clone, Copy)]
enum Flood {
    None,
    Idle,
    Slow,
}

impl Flood {
    const fn name(self) -> &'static str {
        match self {
            Self::None => "no flood",
            Self::Idle => "flood of no-op tasks",
            Self::Slow => "flood of 50 ms tasks",
        }
    }

    fn task(self, priority: Priority) -> Result<Option<NewTask>> {
        let slow =
            |task: NewTask| Ok(NewTask { kind: REST.into(), payload: Payload::encode(&50_000)?, ..task });
        match self {
            Self::None => Ok(None),
            Self::Idle => tasks::noop(priority).map(Some),
            Self::Slow => slow(tasks::noop(priority)?).map(Some),
        }
    }

    /// All its tasks, waiting.
    async fn pour(self, producer: &Producer, tasks: usize) -> Result<()> {
        for priority in OTHERS {
            if let Some(task) = self.task(priority)? {
                tasks::pour(producer, &task, tasks / OTHERS.len()).await?;
            }
        }
        Ok(())
    }
}

pub fn plan() -> Plan {
    let mut plan = Plan::default();
    for flood in [Flood::None, Flood::Idle, Flood::Slow] {
        plan.contestants.push(Contestant::new(flood.name(), move |site| isolate(site, flood)));
    }
    for flood in [Flood::Idle, Flood::Slow] {
        let first = format!("{}, {FIRST}: P0 p99", flood.name());
        plan.goals.push(Goal::figure(first, Target::AtMost(40.0)));
        let [of, to] = [flood, Flood::None].map(|flood| format!("{}, {SETTLED}: P0 p99", flood.name()));
        plan.goals.push(Goal::ratio(of, to, Target::AtMost(3.0)));
    }
    plan
}

async fn isolate(site: Site, flood: Flood) -> Result<Vec<Figure>> {
    let pool = site.pool(Lane::Critical, "")?;
    let ledger = Ledger::new(&pool)?;
    let producer = tasks::producer(&pool.config).await?;
    flood.pour(&producer, site.count(500_000)).await?;
    let mut workers: Vec<Process> = (0..WORKERS).map(|_| ledger.worker(&pool)).collect::<Result<_>>()?;
    for worker in &mut workers {
        worker.ready().await?;
    }
    let begun = nanoseconds();
    let (count, over) = load(&pool, &producer, flood).await?;
    marks::completed_on(&pool, &[Queue::P0, Queue::P1], count).await?;
    for worker in workers {
        worker.stop().await?;
    }
    let mut starts = ledger.firsts(count)?;
    starts.retain(|start| start.at < over);
    let (first, settled) = split(starts, begun);
    let mut figures = figures(&format!("{}, {FIRST}", flood.name()), &first);
    if site.size != Size::Smoke {
        ensure!(!settled.is_empty(), "the flood was over within {FIRST_SECONDS:?}");
        figures.extend(self::figures(&format!("{}, {SETTLED}", flood.name()), &settled));
    }
    pool.clear().await?;
    Ok(figures)
}

/// Workers have just begun, connections open, and nobody knows yet how fast the servers are.
const FIRST_SECONDS: Duration = Duration::from_secs(3);
const FIRST: &str = "first 3 s";
const SETTLED: &str = "settled";

/// By when they were enqueued: within the first seconds of the load, and after them.
fn split(starts: Vec<Start>, begun: u64) -> (Vec<Start>, Vec<Start>) {
    let first = begun + FIRST_SECONDS.as_nanos() as u64;
    starts.into_iter().partition(|start| start.at < first)
}

fn figures(name: &str, starts: &[Start]) -> Vec<Figure> {
    let mut figures = vec![Figure::new(format!("{name}: urgent tasks"), "tasks", starts.len() as f64)];
    for priority in URGENT {
        let mut waits = marks::waits(starts, priority);
        for (text, part) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            let value = marks::quantile(&mut waits, part);
            figures.push(Figure::new(format!("{name}: {priority} {text}"), "ms", value));
        }
    }
    figures
}

/// How many urgent tasks there were, and when nothing of the flood waited any more.
async fn load(pool: &Pool, producer: &Producer, flood: Flood) -> Result<(u64, u64)> {
    let span = match pool.site().size {
        Size::Full => Duration::from_secs(23),
        Size::Quick => Duration::from_secs(8),
        Size::Smoke => Duration::from_millis(300),
    };
    let urgent = |number| marks::mark(number, URGENT[number as usize % URGENT.len()], Duration::ZERO);
    let load = pin!(marks::steady(producer, PER_SECOND, span, urgent));
    if matches!(flood, Flood::None) {
        return Ok((load.await?, u64::MAX));
    }
    let broker = broker::open(&pool.config).await?;
    match select(load, pin!(drained(&*broker))).await {
        Either::Left((count, _)) => Ok((count?, u64::MAX)),
        Either::Right((over, load)) => Ok((load.await?, over?)),
    }
}

async fn drained(broker: &dyn Broker) -> Result<u64> {
    for queue in OTHERS.map(Priority::queue) {
        while broker.depth(queue).await?.ready > 0 {
            sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(nanoseconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_seconds_of_a_flood_stand_apart() {
        let begun = 5_000_000_000;
        let start = |seconds: f64, wait: u64| {
            let at = begun + (seconds * 1e9) as u64;
            Start { number: 0, priority: 0, at, started: at + wait * 1_000_000, worker: 0 }
        };
        let starts = vec![start(0.0, 100), start(2.999, 50), start(3.0, 7), start(20.0, 9)];
        let (first, settled) = split(starts, begun);
        assert_eq!(marks::waits(&first, Priority::P0), [100.0, 50.0]);
        assert_eq!(marks::waits(&settled, Priority::P0), [7.0, 9.0]);
        let figures = figures("flood, first 3 s", &first);
        let value = |name: &str| figures.iter().find(|figure| figure.name == name).map(|figure| figure.value);
        assert_eq!(value("flood, first 3 s: P0 p50"), Some(50.0));
        assert_eq!(value("flood, first 3 s: P0 p99"), Some(100.0));
        assert_eq!(value("flood, first 3 s: P0 max"), Some(100.0));
        assert_eq!(value("flood, first 3 s: urgent tasks"), Some(2.0));
    }
}
