//! Clocks that run apart: times to start and to expire are compared between machines.

use std::time::Instant;

use super::{Site, finding::Finding};
use clawpool_backends::backend::redis::inspect::inspect;
use clawpool_core::{config::Profile, task::Timestamp};

pub(super) async fn check(site: &Site) -> Vec<Finding> {
    let (redis, dispatcher) = tokio::join!(of_redis(site), of_dispatcher(site));
    let known = [("Redis", redis), ("the dispatcher", dispatcher)];
    let known: Vec<Finding> =
        known.into_iter().filter_map(|(whose, ahead)| Some(judge(whose, ahead?))).collect();
    if known.is_empty() {
        return vec![Finding::skipped("no server answers whose clock could be compared with this one")];
    }
    known
}

/// Milliseconds by which it is ahead of ours.
async fn of_redis(site: &Site) -> Option<i64> {
    let config = site.config().ok().filter(|config| config.profile == Profile::Cluster)?;
    Some(inspect(&config.redis).await.ok()?.clock_ahead)
}

async fn of_dispatcher(site: &Site) -> Option<i64> {
    let begun = Instant::now();
    let asked = Timestamp::now();
    let theirs = site.client.health().await.ok()?.timestamp;
    let millis = |time: Timestamp| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let trip = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
    let ahead = millis(theirs) - millis(asked);
    // It looked at its clock at some moment of the trip.
    Some(if (0..=trip).contains(&ahead) { 0 } else { ahead - trip / 2 })
}

fn judge(whose: &str, ahead: i64) -> Finding {
    const APART: u64 = 1_000;
    const FAR: u64 = 60_000;
    let apart = ahead.unsigned_abs();
    let side = if ahead < 0 { "behind" } else { "ahead of" };
    let text = format!("the clock of {whose} is {:.3} s {side} this one", apart as f64 / 1000.0);
    let fix = "have all machines set their clocks by NTP: tasks start and expire early or late";
    match apart {
        ..APART => Finding::ok(text),
        APART..FAR => Finding::warning(text, fix),
        _ => Finding::error(text, fix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn clocks_that_run_apart_are_found() {
        for (ahead, status) in [
            (3, Status::Ok),
            (-900, Status::Ok),
            (-2_000, Status::Warning),
            (30_000, Status::Warning),
            (3_600_000, Status::Error),
        ] {
            let finding = judge("Redis", ahead);
            assert_eq!(finding.status, status, "{ahead}");
            assert_eq!(finding.text.contains("behind"), ahead < 0);
        }
    }
}
