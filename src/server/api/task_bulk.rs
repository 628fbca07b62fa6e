//! One change of many tasks, some thousands a request.
//!
//! Guarantees: a request does a bounded amount of work and says where to go on; a dry run changes nothing.
//! Never does: take a task that no condition names.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::{Api, audit::Trail, body::Unread, caller::Caller, error::ApiError, queues};
use clawpool_backends::store::{Cancelled, Page, Record, RecordFilter};
use clawpool_core::task::{State as TaskState, TaskId, Timestamp};
use clawpool_engine::client::{TaskFilter, TaskSelection, view::TasksChangedView};

/// Tasks of one page.
const PAGE: usize = 500;
/// Pages of one request.
const PAGES: usize = 4;

/// What is done to each task.
#[derive(Clone, Copy)]
enum Change {
    Cancel,
    Run,
}

impl Change {
    /// Tasks in another state are left alone.
    fn states(self) -> &'static [TaskState] {
        match self {
            Self::Cancel => &[TaskState::Scheduled, TaskState::Queued, TaskState::Running],
            Self::Run => &[TaskState::Scheduled],
        }
    }
}

pub(super) async fn cancel(
    State(api): State<Arc<Api>>,
    caller: Caller,
    trail: Trail,
    body: Unread,
) -> Result<Json<TasksChangedView>, ApiError> {
    change(&api, &caller, &trail, body, Change::Cancel).await
}

pub(super) async fn run(
    State(api): State<Arc<Api>>,
    caller: Caller,
    trail: Trail,
    body: Unread,
) -> Result<Json<TasksChangedView>, ApiError> {
    change(&api, &caller, &trail, body, Change::Run).await
}

async fn change(
    api: &Api,
    caller: &Caller,
    trail: &Trail,
    body: Unread,
    change: Change,
) -> Result<Json<TasksChangedView>, ApiError> {
    let asked: TaskSelection = body.read(api).await?.decode(&api.config().limits)?;
    trail.tell(serde_json::to_value(&asked).unwrap_or_default());
    if asked.dry_run || asked.cursor.is_some() {
        trail.leave_out();
    }
    let TaskSelection { ids, filter, all, dry_run, cursor } = asked;
    let bulk = Bulk { api, caller, change, dry_run };
    let changed = match (ids, filter, all) {
        (Some(ids), None, false) => bulk.chosen(&ids).await?,
        (None, Some(filter), false) => bulk.matching(filter, cursor).await?,
        (None, None, true) => bulk.matching(TaskFilter::default(), cursor).await?,
        _ => {
            let message = r#"say which tasks: {"ids":[…]}, {"filter":{…}} or {"all":true}"#;
            return Err(ApiError::malformed(message));
        }
    };
    Ok(Json(changed))
}

/// One request's work.
struct Bulk<'a> {
    api: &'a Api,
    caller: &'a Caller,
    change: Change,
    dry_run: bool,
}

impl Bulk<'_> {
    async fn chosen(&self, ids: &[TaskId]) -> Result<TasksChangedView, ApiError> {
        if ids.len() > PAGE * PAGES {
            let message = format!("ids are {}: name at most {} in one request", ids.len(), PAGE * PAGES);
            return Err(ApiError::field("ids", message));
        }
        let mut changed = TasksChangedView::default();
        for id in ids {
            match self.api.store.record(*id).await? {
                Some(record) => self.one(&record, &mut changed).await?,
                None => changed.left += 1,
            }
        }
        Ok(changed)
    }

    async fn matching(
        &self,
        filter: TaskFilter,
        mut cursor: Option<String>,
    ) -> Result<TasksChangedView, ApiError> {
        let filter = self.filter(filter).await?;
        let mut changed = TasksChangedView::default();
        for _ in 0..PAGES {
            let Page { items, next } = self.api.store.records(&filter, cursor.as_deref(), PAGE).await?;
            for record in &items {
                self.one(record, &mut changed).await?;
            }
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(TasksChangedView { next: cursor, ..changed })
    }

    async fn filter(&self, asked: TaskFilter) -> Result<RecordFilter, ApiError> {
        let TaskFilter { states, kind, priority, queue, tenant, since, until } = asked;
        for (field, time) in [("filter.since", since), ("filter.until", until)] {
            if let Some(millis) = time.filter(|time| time.looks_like_seconds()).map(Timestamp::as_millis) {
                return Err(ApiError::seconds_for_milliseconds(field, millis));
            }
        }
        let able = self.change.states();
        let states = match states.as_slice() {
            [] => able.to_vec(),
            states => states.iter().copied().filter(|state| able.contains(state)).collect(),
        };
        if states.is_empty() {
            let message = format!("none of these states can be changed: it is {}", names(able));
            return Err(ApiError::field("filter.states", message));
        }
        let queue = match queue {
            Some(name) => Some(queues::named(self.api, &name).await?),
            None => None,
        };
        let tenant = self.caller.tenant(tenant)?;
        Ok(RecordFilter { states, kind, priority, queue, tenant, since, until })
    }

    async fn one(&self, record: &Record, changed: &mut TasksChangedView) -> Result<(), ApiError> {
        let able = self.caller.sees(record) && self.change.states().contains(&record.state);
        let done = match self.change {
            _ if !able => false,
            _ if self.dry_run => true,
            Change::Run => self.api.store.run_now(record.id).await?,
            Change::Cancel => match self.api.store.cancel(record.id).await? {
                Cancelled::Done => true,
                Cancelled::Signalled => {
                    changed.signalled += 1;
                    return Ok(());
                }
                Cancelled::TooLate(_) | Cancelled::Unknown => false,
            },
        };
        *if done { &mut changed.changed } else { &mut changed.left } += 1;
        Ok(())
    }
}

fn names(states: &[TaskState]) -> String {
    states.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
