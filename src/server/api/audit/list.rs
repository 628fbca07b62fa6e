use std::sync::Arc;

use axum::{Json, extract::State};

use crate::api::{Api, caller::Caller, error::ApiError, query::Params};
use clawpool_backends::store::{Entry, Page, Topic};
use clawpool_core::task::{KindPattern, Timestamp};
use clawpool_engine::client::access::{AuditView, Outcome};

/// Entries that one request looks at, at most.
const MOST: usize = 2_000;

#[derive(Default)]
struct Filter {
    by: Option<String>,
    verb: Option<KindPattern>,
    outcome: Option<Outcome>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Filter {
    fn matches(&self, view: &AuditView) -> bool {
        self.by.as_ref().is_none_or(|by| view.by.as_ref() == Some(by))
            && self.verb.as_ref().is_none_or(|verb| verb.matches(&view.verb))
            && self.outcome.is_none_or(|outcome| outcome == view.outcome)
            && self.until.is_none_or(|until| view.at < until)
    }
}

/// Latest first. A page may have fewer entries than asked for and still go on: only so many are looked at.
pub(in crate::api) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<Page<AuditView>>, ApiError> {
    caller.oversees()?;
    let subject = params.text("subject");
    let filter = Filter {
        by: params.text("by"),
        verb: params.value("verb")?,
        outcome: params.value("outcome")?,
        since: params.time("since")?,
        until: params.time("until")?,
    };
    let mut cursor = params.text("cursor");
    let limit = params.limit()?;
    params.done()?;
    let mut items = Vec::new();
    let mut looked = 0;
    loop {
        let want = limit - items.len();
        let page = api.store.journal(Topic::Audit, subject.as_deref(), cursor.as_deref(), want).await?;
        looked += page.items.len();
        cursor = page.next;
        if page.items.last().is_some_and(|oldest| filter.since.is_some_and(|since| oldest.at < since)) {
            cursor = None;
        }
        let recent =
            page.items.into_iter().filter(|entry| filter.since.is_none_or(|since| entry.at >= since));
        items.extend(recent.filter_map(view).filter(|view| filter.matches(view)));
        if cursor.is_none() || items.len() >= limit || looked >= MOST {
            return Ok(Json(Page::new(items, cursor)));
        }
    }
}

/// What a later version has written differently is left out.
pub(in crate::api) fn view(entry: Entry) -> Option<AuditView> {
    serde_json::from_value(entry.body)
        .inspect_err(|error| tracing::warn!(%error, "another version's audit entry is left out"))
        .ok()
}
