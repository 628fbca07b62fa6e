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
    worker::{REST, nanoseconds},
};

pub const ABOUT: &str = "P0 and P1 in turn, 200 tasks a second, on two workers: alone, and while 500,000 \
    P4, P5 and P6 tasks wait (100,000 with --quick) and are drained by the same workers. Tasks of the flood \
    do nothing, so that the machine is the limit, or take 50 ms, so that the slots are. From the call of \
    the producer to the start of the handler, of tasks that were enqueued while the flood lasted, without \
    the load's first three seconds (one with --quick).";

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
        let [of, to] = [flood, Flood::None].map(|flood| format!("{}: P0 p99", flood.name()));
        plan.goals.push(Goal::ratio(of, to, Target::AtMost(2.0)));
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
    let from = nanoseconds() + u64::try_from(settling(site.size).as_nanos())?;
    let (count, over) = load(&pool, &producer, flood).await?;
    marks::completed_on(&pool, &[Queue::P0, Queue::P1], count).await?;
    for worker in workers {
        worker.stop().await?;
    }
    let mut starts = ledger.firsts(count)?;
    starts.retain(|start| (from..over).contains(&start.at));
    ensure!(!starts.is_empty(), "the flood was over before the load began");
    let mut figures =
        vec![Figure::new(format!("{}: urgent tasks", flood.name()), "tasks", starts.len() as f64)];
    for priority in URGENT {
        figures.extend(marks::quantiles(
            &format!("{}: {priority}", flood.name()),
            &mut marks::waits(&starts, priority),
        ));
    }
    pool.clear().await?;
    Ok(figures)
}

/// The load's first part, which is not counted: connections open, and the workers learn how fast the servers
/// are.
const fn settling(size: Size) -> Duration {
    match size {
        Size::Full => Duration::from_secs(3),
        Size::Quick => Duration::from_secs(1),
        Size::Smoke => Duration::ZERO,
    }
}

/// How many urgent tasks there were, and when nothing of the flood waited any more.
async fn load(pool: &Pool, producer: &Producer, flood: Flood) -> Result<(u64, u64)> {
    let span = match pool.site().size {
        Size::Full => Duration::from_secs(23),
        Size::Quick => Duration::from_secs(5),
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
