//! Queues whose tasks wait for somebody who does not come.

use super::{
    Site,
    finding::Finding,
    pool::{Pool, WaitingQueue},
};
use clawpool_engine::alert::Event;

pub(super) async fn check(site: &Site) -> Vec<Finding> {
    let pool = match site.pool().await {
        Ok(pool) => pool,
        Err(skipped) => return vec![skipped],
    };
    let found: Vec<Finding> = pool.queues.iter().flat_map(|queue| judge(queue, pool)).collect();
    if found.is_empty() {
        let waiting: u64 = pool.queues.iter().map(|queue| queue.waiting).sum();
        return vec![Finding::ok(format!("{waiting} tasks wait, all on queues that are served"))];
    }
    found
}

fn judge(queue: &WaitingQueue, pool: &Pool) -> Vec<Finding> {
    let WaitingQueue { name, waiting, workers, .. } = queue;
    let mut found = Vec::new();
    if let Some(error) = &queue.error {
        found.push(Finding::error(format!("{name}: {error}"), "see what is found of its server"));
    }
    if queue.is_paused && *waiting > 0 {
        let text = format!("{name} is paused, and {waiting} tasks wait on it");
        found.push(Finding::warning(text, format!("clawpool queues resume {name}")));
    } else if *waiting > 0 && *workers == 0 {
        let text = format!("{waiting} tasks wait on {name}, and no worker serves it");
        found.push(unserved(text, name, pool));
    }
    if !queue.unhandled.is_empty() {
        let text = format!("no worker of {name} has a handler for {}", queue.unhandled.join(", "));
        let fix = "start workers that have one, or add [[handlers]] for these kinds";
        found.push(Finding::error(text, fix).with_code(Event::NoHandler.code()));
    }
    found
}

/// A pool that is switched off as a whole serves nothing, as it should.
fn unserved(text: String, name: &str, pool: &Pool) -> Finding {
    let fix = format!("start a worker that serves it: name {name} in worker.queues or in a pool");
    if pool.is_served || pool.workers.iter().any(|worker| worker.alive) {
        Finding::error(text, fix).with_code(Event::Unserved.code())
    } else {
        Finding::warning(text, "start Clawpool: clawpool up, or its dispatcher and workers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    fn queue(waiting: u64, workers: u64) -> WaitingQueue {
        let (unhandled, error) = (Vec::new(), None);
        WaitingQueue { name: "high.p2".into(), waiting, workers, is_paused: false, unhandled, error }
    }

    fn statuses(queue: &WaitingQueue, is_served: bool) -> Vec<Status> {
        let (queues, workers, alerts) = (Vec::new(), Vec::new(), Vec::new());
        let pool = Pool { queues, workers, dead: (0, false), alerts, is_served };
        judge(queue, &pool).into_iter().map(|finding| finding.status).collect()
    }

    #[test]
    fn tasks_that_nobody_will_run_are_found() {
        assert_eq!(statuses(&queue(5, 1), true), []);
        assert_eq!(statuses(&queue(0, 0), true), []);
        assert_eq!(statuses(&queue(5, 0), true), [Status::Error]);
        assert_eq!(statuses(&queue(5, 0), false), [Status::Warning]);
        assert_eq!(statuses(&WaitingQueue { is_paused: true, ..queue(5, 0) }, true), [Status::Warning]);
        let unhandled = WaitingQueue { unhandled: vec!["a.b".into()], ..queue(5, 1) };
        assert_eq!(statuses(&unhandled, true), [Status::Error]);
    }
}
