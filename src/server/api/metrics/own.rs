use std::collections::BTreeMap;

use super::{Page, journal::name_of};
use crate::api::Api;
use clawpool_engine::alert::{Event, Level};

/// What this process finds wrong, and what it has open.
pub(super) async fn show(api: &Api, page: &mut Page) {
    let findings = api.health.findings().await;
    let mut firing: BTreeMap<String, (Event, u64)> =
        Event::ALL.into_iter().map(|event| (name_of(event), (event, 0))).collect();
    for trouble in &findings.troubles {
        if let Some((_, count)) = firing.get_mut(&name_of(trouble.event)) {
            *count += 1;
        }
    }
    for (name, (event, count)) in &firing {
        let labels = [name, event.code(), level_of(event.level())];
        page.count("clawpool_alerts_firing", &labels, *count);
    }
    for server in findings.servers.iter() {
        page.count("clawpool_server_up", &[server.name], server.standing.is_up().into());
    }
    for service in &findings.services {
        page.count("clawpool_probe_up", &[&service.name], service.standing.is_up().into());
    }
    let loops = api.health.loops().look();
    page.count("clawpool_loops_running", &[], loops.running as u64);
    page.count("clawpool_loops_stuck", &[], loops.stuck.len() as u64);
    page.count("clawpool_spans_dropped_total", &[], clawpool_engine::trace::dropped());
    page.count("clawpool_connections", &[], api.connections.count());
    page.count("clawpool_event_streams", &[], api.events.streams());
}

const fn level_of(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
        Level::Critical => "critical",
    }
}
