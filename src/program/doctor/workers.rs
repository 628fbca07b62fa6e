//! Workers that live, and those that have died.

use super::{Site, finding::Finding, pool::Pool};

pub(super) async fn check(site: &Site) -> Vec<Finding> {
    match site.pool().await {
        Ok(pool) => judge(pool),
        Err(skipped) => vec![skipped],
    }
}

fn judge(pool: &Pool) -> Vec<Finding> {
    let (alive, dead): (Vec<_>, Vec<_>) = pool.workers.iter().partition(|worker| worker.alive);
    let slots: u64 = alive.iter().map(|worker| u64::from(worker.beat.slots)).sum();
    let mut findings = vec![match alive.len() {
        0 if pool.is_served => Finding::warning(
            "no worker lives, so no task runs",
            "start some: clawpool up, or clawpool worker",
        ),
        0 => Finding::ok("no worker runs"),
        count => Finding::ok(format!("{count} live, with {slots} slots together")),
    }];
    findings.extend(dead.into_iter().map(|worker| {
        let beat = &worker.beat;
        let text = format!(
            "the worker {} of the pool {} on {} has been silent since {}",
            beat.worker, beat.pool, beat.host, worker.last_beat
        );
        let fix = "a dispatcher gives its tasks to others within seconds; if it stays, none leads: start \
                   one, and see `clawpool workers crashes`";
        Finding::warning(text, fix)
    }));
    findings
}
