//! The raw brokers: what no task queue on them can pass.

use std::time::Duration;

use anyhow::Result;

use super::Plan;
use crate::{
    raw::{self, Took, rabbitmq::Kind},
    rounds::{Contestant, Figure},
    site::Site,
};

pub const ABOUT: &str = "The fewest broker operations that a durable queue can do, with nothing around \
    them: Redis (pipelined LPUSH; LMOVE and LREM), RabbitMQ (persistent, a window of 1,000 confirms; \
    prefetch 1,000, every hundred acknowledged at once) on a quorum and on a priority queue, SQLite (WAL, \
    synchronous, transactions of 500). Bodies of 200 bytes.";

pub fn plan() -> Plan {
    Plan { contestants: ceilings(), goals: Vec::new() }
}

/// Each also runs beside what is compared with it, in that run.
pub fn ceilings() -> Vec<Contestant> {
    vec![
        Contestant::new("ceiling redis", redis),
        Contestant::new("ceiling rabbitmq quorum", |site| rabbitmq(site, Kind::Quorum)),
        Contestant::new("ceiling rabbitmq priority", |site| rabbitmq(site, Kind::Priority)),
        Contestant::new("ceiling sqlite", sqlite),
    ]
}

async fn redis(site: Site) -> Result<Vec<Figure>> {
    let tasks = site.tasks(400_000);
    Ok(figures("redis", tasks, &raw::redis::run(&site, tasks).await?))
}

async fn rabbitmq(site: Site, kind: Kind) -> Result<Vec<Figure>> {
    let (name, tasks) = match kind {
        Kind::Quorum => ("rabbitmq quorum", site.tasks(100_000)),
        Kind::Priority => ("rabbitmq priority", site.tasks(40_000)),
    };
    Ok(figures(name, tasks, &raw::rabbitmq::run(&site, kind, tasks).await?))
}

async fn sqlite(site: Site) -> Result<Vec<Figure>> {
    let tasks = site.tasks(200_000);
    Ok(figures("sqlite", tasks, &raw::sqlite::run(&site, tasks).await?))
}

fn figures(name: &str, tasks: usize, took: &Took) -> Vec<Figure> {
    vec![
        Figure::new(format!("ceiling {name}: put"), "tasks/s", rate(tasks, took.put)),
        Figure::new(format!("ceiling {name}: get"), "tasks/s", rate(tasks, took.got)),
    ]
}

pub fn rate(tasks: usize, took: Duration) -> f64 {
    tasks as f64 / took.as_secs_f64().max(1e-9)
}
