//! Growth: what a task, and an operation, cost as more of everything is there.

mod crowd;
mod dead;
mod delayed;
mod records;
mod waiting;

use super::Plan;
use crate::{
    goal::{Goal, Target},
    lane::Lane,
    site::{Site, Size},
};

pub const ABOUT: &str = "The same work with ever more beside it. Waiting tasks (10 to 1,000,000): the next \
    tasks are enqueued over HTTP, then one worker starts and runs as many. Workers (1 to 100, ten slots \
    each): they idle, then run tasks together. Delayed tasks (1 to 10,000) and dead letters (1 to 100,000): \
    operations of the store. The figures are costs of one task or one operation, so they should not grow.";

/// How much a cost may grow.
const FLAT: Target = Target::AtMost(1.2);

pub fn plan(site: &Site) -> Plan {
    let mut plan = Plan::default();
    for lane in [Lane::Critical, Lane::Normal, Lane::Embedded] {
        waiting::join(&mut plan, site, lane);
    }
    crowd::join(&mut plan, site);
    for lane in [Lane::Critical, Lane::Embedded] {
        delayed::join(&mut plan, site, lane);
        dead::join(&mut plan, site, lane);
    }
    plan
}

/// The sizes for this run.
fn sizes<const N: usize>(site: &Site, full: [usize; N], quick: [usize; N], smoke: [usize; N]) -> [usize; N] {
    match site.size {
        Size::Full => full,
        Size::Quick => quick,
        Size::Smoke => smoke,
    }
}

/// That the cost at the second size is hardly more than at the first.
fn flat(what: &str, from: &str, to: &str) -> Goal {
    Goal::ratio(format!("{to}: {what}"), format!("{from}: {what}"), FLAT)
}
