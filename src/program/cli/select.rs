use std::time::Duration;

use clap::Args;

use super::{failure::Failure, progress::Progress};
use clawpool_backends::store::{DeadFilter, Page};
use clawpool_core::task::{DeadReason, KindPattern, Priority, State, Timestamp};
use clawpool_engine::client::{Client, TaskFilter};

/// Conditions that tasks and dead letters share; all that are given must hold.
#[derive(Debug, Default, Args)]
pub(super) struct Select {
    /// Of this kind; `email.*` for all that start so
    #[arg(long)]
    kind: Option<KindPattern>,
    /// P0 to P6
    #[arg(long)]
    priority: Option<Priority>,
    /// Of this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Of this session
    #[arg(long)]
    session: Option<String>,
    /// With this note in `meta`: its name, or name=value
    #[arg(long)]
    tag: Option<String>,
    /// With this text somewhere in payload or `meta`
    #[arg(long)]
    text: Option<String>,
    /// Enqueued (dead letters: died) at or after this: a time (2026-01-31T09:00:00Z) or how long ago (2h)
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Option<Timestamp>,
    /// Enqueued (dead letters: died) before this
    #[arg(long, value_name = "TIME", value_parser = past)]
    until: Option<Timestamp>,
}

type Query = Vec<(&'static str, String)>;

impl Select {
    /// Together with conditions of a listing's own.
    fn query<const N: usize>(&self, own: [(&'static str, Option<String>); N]) -> Query {
        let shared = [
            ("kind", self.kind.as_ref().map(KindPattern::to_string)),
            ("priority", self.priority.map(|priority| priority.to_string())),
            ("tenant", self.tenant.clone()),
            ("session", self.session.clone()),
            ("tag", self.tag.clone()),
            ("text", self.text.clone()),
            ("since", self.since.map(|time| time.as_millis().to_string())),
            ("until", self.until.map(|time| time.as_millis().to_string())),
        ];
        own.into_iter().chain(shared).filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Which dead letters.
#[derive(Debug, Args)]
pub(super) struct DeadSelect {
    /// exhausted, fatal, expired, poison or undeliverable
    #[arg(long)]
    reason: Option<DeadReason>,
    #[command(flatten)]
    select: Select,
}

impl DeadSelect {
    pub(super) fn filter(&self) -> DeadFilter {
        let Select { kind, priority, tenant, session, tag, text, since, until } = &self.select;
        DeadFilter {
            kind: kind.clone(),
            reason: self.reason,
            priority: *priority,
            tenant: tenant.clone(),
            session: session.clone(),
            tag: tag.clone(),
            text: text.clone(),
            since: *since,
            until: *until,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filter() == DeadFilter::default()
    }

    pub(super) fn query(&self) -> Query {
        self.select.query([("reason", self.reason.map(|reason| reason.to_string()))])
    }
}

/// Which tasks.
#[derive(Debug, Args)]
pub(super) struct TaskSelect {
    /// scheduled, queued, running, completed, dead or cancelled; several: --state queued,running
    #[arg(long, value_delimiter = ',')]
    state: Vec<State>,
    /// On this queue
    #[arg(long)]
    queue: Option<String>,
    #[command(flatten)]
    select: Select,
}

impl TaskSelect {
    pub(super) fn filter(&self) -> TaskFilter {
        let Select { kind, priority, tenant, session, tag, text, since, until } = &self.select;
        TaskFilter {
            states: self.state.clone(),
            kind: kind.clone(),
            priority: *priority,
            queue: self.queue.clone(),
            tenant: tenant.clone(),
            session: session.clone(),
            tag: tag.clone(),
            text: text.clone(),
            since: *since,
            until: *until,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filter() == TaskFilter::default()
    }

    pub(super) fn query(&self) -> Query {
        let states = self.state.iter().map(State::to_string).collect::<Vec<_>>().join(",");
        self.select.query([("state", (!states.is_empty()).then_some(states)), ("queue", self.queue.clone())])
    }
}

/// A time as RFC 3339, or how long ago it was.
pub(super) fn past(text: &str) -> Result<Timestamp, String> {
    if let Ok(span) = humantime::parse_duration(text) {
        return Ok(Timestamp::ago(span));
    }
    serde_json::from_value(text.into()).map_err(|error| format!("{error}; or write how long ago, 2h"))
}

/// For clap: `30s`, `5m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}: write 30s, 5m or 1h"))
}

/// The most a server gives in one answer.
const PAGE: usize = 1000;

/// The first `limit` entries of a listing, over as many pages as that takes.
pub(super) async fn pages<T: serde::de::DeserializeOwned>(
    client: &Client,
    path: &str,
    query: &[(&str, String)],
    limit: usize,
) -> Result<Page<T>, Failure> {
    let mut all = Page::new(Vec::new(), None);
    let mut progress = Progress::new();
    while all.items.len() < limit {
        let mut query = query.to_vec();
        query.push(("limit", (limit - all.items.len()).min(PAGE).to_string()));
        query.extend(all.next.take().map(|cursor| ("cursor", cursor)));
        let page: Page<T> = client.get(path, &query).await?;
        all.items.extend(page.items);
        all.next = page.next;
        all.looked_at = page.looked_at.map(|more| all.looked_at.unwrap_or_default() + more);
        if all.next.is_none() {
            break;
        }
        progress.say(&format!("{} found, {} looked at", all.items.len(), all.looked_at.unwrap_or_default()));
    }
    Ok(all)
}

/// Says on standard error that a listing goes on.
pub(super) fn more<T>(page: &Page<T>) {
    if page.next.is_some() {
        super::failure::eprint_line(&format!("… and more: --limit shows more than {}", page.items.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_points_or_ages() {
        assert_eq!(past("2023-11-14T22:13:20.123Z").unwrap(), Timestamp::from_millis(1_700_000_000_123));
        assert!(past("2h").unwrap() < Timestamp::now());
        assert!(past("yesterday").unwrap_err().contains("how long ago"));
    }
}
