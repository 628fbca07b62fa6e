//! What went wrong lately.

use std::time::Duration;

use super::{Site, finding::Finding, pool::PastAlert};
use clawpool_core::task::Timestamp;
use clawpool_engine::alert::{Event, Level};

const LATELY: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn check(site: &Site) -> Vec<Finding> {
    match site.pool().await {
        Ok(pool) => judge(&pool.alerts, Timestamp::now()),
        Err(skipped) => vec![skipped],
    }
}

/// One for each event, with its latest text.
fn judge(alerts: &[PastAlert], now: Timestamp) -> Vec<Finding> {
    let lately = |alert: &&PastAlert| alert.event.level() >= Level::Error && now.since(alert.at) < LATELY;
    let serious: Vec<&PastAlert> = alerts.iter().filter(lately).collect();
    let mut told: Vec<Event> = Vec::new();
    let mut findings = Vec::new();
    for alert in &serious {
        if told.contains(&alert.event) {
            continue;
        }
        told.push(alert.event);
        let count = serious.iter().filter(|other| other.event == alert.event).count();
        let times = if count > 1 { format!(" ({count} times in a day)") } else { String::new() };
        let text = format!("{} {}: {}{times}", alert.at, alert.subject, alert.text);
        findings.push(Finding::warning(text, alert.event.fix()).with_code(alert.event.code()));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("none of weight in the last day"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn each_serious_event_of_the_last_day_is_told_once() {
        let now = Timestamp::now();
        let ago = |hours: u64| Timestamp::from_millis(now.as_millis() - hours * 3_600_000);
        let alert =
            |hours, event| PastAlert { at: ago(hours), subject: "main".into(), event, text: "x".into() };
        let serious = Event::StoreTrouble;
        assert!(serious.level() >= Level::Error && Event::Recycled.level() < Level::Error);
        let found = judge(&[alert(1, serious), alert(2, serious), alert(1, Event::Recycled)], now);
        assert_eq!(found.len(), 1);
        assert!(found[0].text.contains("2 times"), "{}", found[0].text);
        assert_eq!(judge(&[alert(30, serious)], now)[0].status, Status::Ok);
    }
}
