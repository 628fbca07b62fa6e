//! The seven classes together, as in daily work.

use std::time::Duration;

use anyhow::{Context, Result};
use clawpool_core::task::Priority;
use rand::{SeedableRng, rngs::StdRng};

use super::{
    Plan,
    marks::{self, Ledger, quantile},
    tasks,
};
use crate::{
    goal::{Goal, Target},
    lane::Lane,
    mix::Mix,
    process::Process,
    rounds::{Contestant, Figure},
    site::{Site, Size},
};

pub const ABOUT: &str = "P0 to P6 in the shares of `load-tests/mix.toml` (or `--mix FILE`), with handler \
    times drawn from its distributions, at 70 % of the slots of two workers, for a minute (10 s with \
    --quick). From the call of the producer to the start of the handler; the slowest start of each class \
    beside the `sla` of its class in the configuration (as shipped).";

const WORKERS: usize = 2;
/// The same tasks in each run.
const SEED: u64 = 20_260;

pub fn plan() -> Plan {
    let mut plan = Plan::default();
    plan.contestants.push(Contestant::new("mixed", mixed));
    for priority in Priority::ALL {
        plan.goals.push(Goal::ratio(
            format!("{priority} slowest"),
            format!("{priority} SLA"),
            Target::AtMost(1.0),
        ));
    }
    plan
}

async fn mixed(site: Site) -> Result<Vec<Figure>> {
    let mix = Mix::read(&site.mix)?;
    let pool = site.pool(Lane::Normal, "")?;
    let ledger = Ledger::new(&pool)?;
    let producer = tasks::producer(&pool.config).await?;
    let mut workers: Vec<Process> = (0..WORKERS).map(|_| ledger.worker(&pool)).collect::<Result<_>>()?;
    for worker in &mut workers {
        worker.ready().await?;
    }
    let (span, faster) = match site.size {
        Size::Full => (60.0, 1.0),
        Size::Quick => (10.0, 1.0),
        Size::Smoke => (0.5, 20.0),
    };
    let per_second = mix.load * f64::from(site.slots) * WORKERS as f64 / mix.mean() * faster;
    let draws = mix.draws()?;
    let mut random = StdRng::seed_from_u64(SEED);
    let drawn = |number| {
        let (priority, takes) = draws.draw(&mut random)?;
        marks::mark(number, priority, takes.div_f64(faster))
    };
    let count = marks::steady(&producer, per_second, Duration::from_secs_f64(span), drawn).await?;
    marks::completed(&pool, count).await?;
    for worker in workers {
        worker.stop().await?;
    }
    let starts = ledger.firsts(count)?;
    let mut figures = vec![Figure::new("load", "tasks/s", per_second)];
    for priority in Priority::ALL {
        let mut waits = marks::waits(&starts, priority);
        figures.extend(marks::quantiles(&priority.to_string(), &mut waits));
        figures.push(Figure::new(format!("{priority} slowest"), "ms", quantile(&mut waits, 1.0)));
        let sla = pool.config.classes.get(priority).sla.as_secs_f64() * 1e3;
        figures.push(Figure::new(format!("{priority} SLA"), "ms", sla));
    }
    pool.clear().await.context("what the tasks left")?;
    Ok(figures)
}
