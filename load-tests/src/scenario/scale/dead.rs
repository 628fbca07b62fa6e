//! Dead letters: adding one, reading a page, requeueing and discarding one.

use std::time::Instant;

use anyhow::{Result, ensure};
use clawpool_backends::store::{self, DeadFilter, Store};
use clawpool_core::task::{Message, TaskId};

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

const PAGES: usize = 20;
const OPERATIONS: [&str; 4] = ["dead-letter", "page of 100", "requeue", "discard"];

pub fn join(plan: &mut Plan, site: &Site, lane: Lane) {
    let sizes = sizes(site, [1, 10_000, 100_000], [1, 1000, 10_000], [1, 10, 20]);
    let [next] = super::sizes(site, [10_000], [4000], [20]);
    for size in sizes {
        plan.contestants.push(Contestant::new(name(lane, size), move |site| die(site, lane, size, next)));
    }
    plan.goals.extend(OPERATIONS.map(|what| flat(what, &name(lane, sizes[0]), &name(lane, sizes[2]))));
}

fn name(lane: Lane, size: usize) -> String {
    format!("{}, {size} dead", lane.profile())
}

async fn die(site: Site, lane: Lane, size: usize, next: usize) -> Result<Vec<Figure>> {
    let pool = site.pool(lane, "")?;
    let store = store::open(&pool.config).await?;
    let mut left = size;
    while left > 0 {
        let batch = left.min(BATCH);
        store.add_dead_letters(&records::letters(batch)?).await?;
        left -= batch;
    }
    let costs = operate(&*store, next).await?;
    drop(store);
    pool.clear().await?;
    let figure = |(what, cost)| Figure::new(format!("{}: {what}", name(lane, size)), "µs each", cost);
    Ok(OPERATIONS.into_iter().zip(costs).map(figure).collect())
}

/// What each of the operations costs, with so many letters more, which are gone at the end.
async fn operate(store: &dyn Store, count: usize) -> Result<[f64; 4]> {
    let letters = records::letters(count)?;
    let started = Instant::now();
    for chunk in letters.chunks(BATCH) {
        store.add_dead_letters(chunk).await?;
    }
    let add = cost(started, count);
    let started = Instant::now();
    for _ in 0..PAGES {
        let page = store.dead(&DeadFilter::default(), None, 100).await?;
        ensure!(page.items.len() >= count.min(100), "a page of {} letters", page.items.len());
    }
    let page = cost(started, PAGES);
    let (again, never) = letters.split_at(count / 2);
    let again: Vec<Message> =
        again.iter().map(|letter| Message { generation: 1, ..letter.message.clone() }).collect();
    let started = Instant::now();
    for chunk in again.chunks(BATCH) {
        ensure!(store.requeue(chunk).await?.taken == chunk.len() as u64, "letters were not there");
    }
    let requeue = cost(started, again.len());
    let never: Vec<TaskId> = never.iter().map(|letter| letter.message.id).collect();
    let started = Instant::now();
    for chunk in never.chunks(BATCH) {
        ensure!(store.discard(chunk).await? == chunk.len() as u64, "letters were not there");
    }
    Ok([add, page, requeue, cost(started, never.len())])
}
