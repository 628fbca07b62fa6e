//! Which tasks a change of many is for.
//!
//! Guarantees: exactly one way of saying which is taken; a caller's tenants narrow it. Never does: take a
//! task that no condition names.

use super::{Api, audit::Trail, caller::Caller, error::ApiError, named, query::checked, queues};
use clawpool_backends::{
    path::{Searched, search},
    store::{LOOKED_AT, Record, RecordFilter},
};
use clawpool_core::task::{Inside, State as TaskState, Timestamp};
use clawpool_engine::client::{TaskFilter, TaskSelection};

/// Tasks of one page.
const PAGE: usize = 500;
/// Pages of one request.
const PAGES: usize = 4;

/// As one request says.
pub(super) enum Chosen {
    Named { records: Vec<Record>, unknown: u64 },
    Matching(Box<Pages>),
}

impl Chosen {
    /// Of a change that is possible in these states.
    pub(super) async fn of(
        api: &Api,
        caller: &Caller,
        trail: &Trail,
        asked: &TaskSelection,
        able: &[TaskState],
    ) -> Result<Self, ApiError> {
        trail.tell(serde_json::to_value(asked).unwrap_or_default());
        if asked.dry_run || asked.cursor.is_some() {
            trail.leave_out();
        }
        let filter = match (&asked.ids, &asked.filter, asked.all) {
            (Some(names), None, false) => {
                let mut records = Vec::new();
                let mut unknown = 0;
                for id in named::all(api, caller, names).await? {
                    match api.store.record(id).await? {
                        Some(record) => records.push(record),
                        None => unknown += 1,
                    }
                }
                return Ok(Self::Named { records, unknown });
            }
            (None, Some(filter), false) => filter.clone(),
            (None, None, true) => TaskFilter::default(),
            _ => {
                let message = r#"say which tasks: {"ids":[…]}, {"filter":{…}} or {"all":true}"#;
                return Err(ApiError::malformed(message));
            }
        };
        let TaskFilter { session, tag, text, .. } = filter.clone();
        let inside = checked(Inside { session, tag, text }, "filter.")?;
        let filter = record_filter(api, caller, filter, able).await?;
        let cursor = asked.cursor.clone();
        let pages = Pages { filter, inside, cursor, read: 0, looked_at: 0, hidden: 0 };
        Ok(Self::Matching(Box::new(pages)))
    }
}

async fn record_filter(
    api: &Api,
    caller: &Caller,
    asked: TaskFilter,
    able: &[TaskState],
) -> Result<RecordFilter, ApiError> {
    let TaskFilter { states, kind, priority, queue, tenant, since, until, .. } = asked;
    for (field, time) in [("filter.since", since), ("filter.until", until)] {
        if let Some(millis) = time.filter(|time| time.looks_like_seconds()).map(Timestamp::as_millis) {
            return Err(ApiError::seconds_for_milliseconds(field, millis));
        }
    }
    let states = match states.as_slice() {
        [] => able.to_vec(),
        states => states.iter().copied().filter(|state| able.contains(state)).collect(),
    };
    if states.is_empty() {
        let message = format!("none of these states can be changed: it is {}", names(able));
        return Err(ApiError::field("filter.states", message));
    }
    let queue = match queue {
        Some(name) => Some(queues::named(api, &name).await?),
        None => None,
    };
    let tenant = caller.tenant(tenant)?;
    Ok(RecordFilter { states, kind, priority, queue, tenant, since, until })
}

fn names(states: &[TaskState]) -> String {
    states.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The tasks that match, page by page, as many as one request may change.
pub(super) struct Pages {
    filter: RecordFilter,
    inside: Inside,
    /// Where the next one begins.
    cursor: Option<String>,
    read: usize,
    looked_at: u64,
    /// Tasks that may match, and whose inside cannot be read.
    pub(super) hidden: u64,
}

impl Pages {
    /// The next page; None when there are no others, or this was enough for one request.
    pub(super) async fn next(&mut self, api: &Api) -> Result<Option<Vec<Record>>, ApiError> {
        let is_last = self.read > 0 && self.cursor.is_none();
        if is_last || self.read == PAGES || self.looked_at >= LOOKED_AT as u64 {
            return Ok(None);
        }
        let Self { filter, inside, cursor, .. } = self;
        let searched = search(&*api.store, &*api.broker, filter, inside, cursor.as_deref(), PAGE).await?;
        let Searched { found, hidden } = searched;
        self.read += 1;
        self.cursor = found.next;
        self.looked_at += found.looked_at as u64;
        self.hidden += hidden as u64;
        Ok(Some(found.items.into_iter().map(|seen| seen.record).collect()))
    }

    /// Where there are others: where to go on, and how many records were looked at up to there.
    pub(super) fn rest(self) -> (Option<String>, u64) {
        let looked_at = self.cursor.as_ref().map_or(0, |_| self.looked_at);
        (self.cursor, looked_at)
    }
}
