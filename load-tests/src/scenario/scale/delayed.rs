//! Tasks that wait for their time: adding one, and promoting one that is due.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clawpool_backends::store::{self, Fence, Role, Store};
use clawpool_core::task::{ProcessId, Timestamp};

use super::{
    flat,
    records::{self, cost},
    sizes,
};
use crate::{
    lane::Lane,
    rounds::{Contestant, Figure},
    scenario::{Plan, tasks::BATCH},
    site::Site,
};

pub fn join(plan: &mut Plan, site: &Site, lane: Lane) {
    let sizes = sizes(site, [1, 1000, 10_000], [1, 1000, 5000], [1, 10, 20]);
    let [next] = super::sizes(site, [10_000], [4000], [20]);
    for size in sizes {
        plan.contestants.push(Contestant::new(name(lane, size), move |site| delay(site, lane, size, next)));
    }
    for what in ["add", "promote"] {
        plan.goals.push(flat(what, &name(lane, sizes[0]), &name(lane, sizes[2])));
    }
}

fn name(lane: Lane, size: usize) -> String {
    format!("{}, {size} delayed", lane.profile())
}

async fn delay(site: Site, lane: Lane, size: usize, next: usize) -> Result<Vec<Figure>> {
    let pool = site.pool(lane, "")?;
    let store = store::open(&pool.config).await?;
    for chunk in records::delayed(size, records::in_an_hour())?.chunks(BATCH) {
        store.admit(chunk).await?;
    }
    let due = records::delayed(next, Timestamp::now())?;
    let started = Instant::now();
    for chunk in due.chunks(BATCH) {
        store.admit(chunk).await?;
    }
    let add = cost(started, next);
    let lease = Duration::from_secs(60);
    let fence = store
        .lead(Role::Maintenance, ProcessId::new(), lease)
        .await?
        .context("another process leads this pool")?;
    let started = Instant::now();
    promote(&*store, fence, next).await?;
    let promote = cost(started, next);
    drop(store);
    pool.clear().await?;
    let figure = |what: &str, cost| Figure::new(format!("{}: {what}", name(lane, size)), "µs/task", cost);
    Ok(vec![figure("add", add), figure("promote", promote)])
}

/// As the promoter does, without the broker between.
async fn promote(store: &dyn Store, fence: Fence, tasks: usize) -> Result<()> {
    let mut promoted = 0;
    while promoted < tasks {
        let due = store.due(fence, 500).await?.messages;
        ensure!(!due.is_empty(), "{promoted} of {tasks} tasks were due");
        let keys: Vec<_> = due.iter().map(|message| (message.id, message.generation)).collect();
        store.promoted(fence, &keys).await?;
        promoted += keys.len();
    }
    Ok(())
}
