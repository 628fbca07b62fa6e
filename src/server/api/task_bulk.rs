//! One change of many tasks, some thousands a request.
//!
//! Guarantees: a request does a bounded amount of work and says where to go on; a dry run changes nothing.
//! Never does: take a task that no condition names.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::{Api, audit::Trail, body::Unread, caller::Caller, chosen::Chosen, error::ApiError};
use clawpool_backends::store::{Cancelled, Record};
use clawpool_core::task::State as TaskState;
use clawpool_engine::client::{TaskSelection, view::TasksChangedView};

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
    if asked.to.is_some() {
        return Err(ApiError::field("to", "only a change of priority goes somewhere: leave it out"));
    }
    let chosen = Chosen::of(api, caller, trail, &asked, change.states()).await?;
    let bulk = Bulk { api, caller, change, dry_run: asked.dry_run };
    let mut changed = TasksChangedView::default();
    match chosen {
        Chosen::Named { records, unknown } => {
            changed.left += unknown;
            for record in &records {
                bulk.one(record, &mut changed).await?;
            }
        }
        Chosen::Matching(mut pages) => {
            while let Some(records) = pages.next(api).await? {
                for record in &records {
                    bulk.one(record, &mut changed).await?;
                }
            }
            changed.hidden = pages.hidden;
            (changed.next, changed.looked_at) = pages.rest();
        }
    }
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
