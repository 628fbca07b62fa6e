//! Which task a person means.
//!
//! Guarantees: the end of an id means a task only where it means one alone, of those that the caller may
//! know of; what others have is neither told nor counted. Never does: go through all tasks.

use axum::http::StatusCode;

use super::{Api, caller::Caller, error::ApiError, query::Name};
use clawpool_backends::store::ENDS_LOOKED_AT;
use clawpool_core::{
    config::Scope,
    task::{IdEnd, TaskId, TaskName},
};

/// The task that the path names.
pub(super) async fn task(api: &Api, caller: &Caller, name: &Name) -> Result<TaskId, ApiError> {
    one(api, caller, &name.parse("id")?).await
}

/// Each of those that a request names.
pub(super) async fn all(api: &Api, caller: &Caller, names: &[TaskName]) -> Result<Vec<TaskId>, ApiError> {
    if names.len() > MOST {
        let message = format!("ids are {}: name at most {MOST} in one request", names.len());
        return Err(ApiError::field("ids", message));
    }
    if names.iter().filter(|name| matches!(name, TaskName::End(_))).count() > MOST_ENDS {
        let message = format!("more than {MOST_ENDS} of the ids are ends of ids: write whole ones");
        return Err(ApiError::field("ids", message));
    }
    let mut ids = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let id = one(api, caller, name).await;
        ids.push(id.map_err(|error| error.at(Some(format!("ids[{index}]"))))?);
    }
    Ok(ids)
}

/// Tasks that one request may name.
const MOST: usize = 2_000;
/// Each of these is a look at the latest tasks.
const MOST_ENDS: usize = 50;

async fn one(api: &Api, caller: &Caller, name: &TaskName) -> Result<TaskId, ApiError> {
    let end = match name {
        TaskName::Id(id) => return Ok(*id),
        TaskName::End(end) => end,
    };
    let mut seen = Vec::new();
    for id in api.store.ending_in(end).await? {
        if may_know(api, caller, id).await? {
            seen.push(id);
        }
    }
    match seen[..] {
        [id] => Ok(id),
        [] => Err(ApiError::not_found(format!(
            "no task whose id ends in {end} is among the latest {ENDS_LOOKED_AT} tasks and dead letters: \
            write the whole id"
        ))),
        _ => Err(ambiguous(end, &seen)),
    }
}

async fn may_know(api: &Api, caller: &Caller, id: TaskId) -> Result<bool, ApiError> {
    if let Some(record) = api.store.record(id).await? {
        return Ok(caller.sees(&record));
    }
    let looks = caller.may(Scope::Read) || caller.may(Scope::Operate);
    let letter = api.store.dead_letter(id).await?;
    Ok(looks && letter.is_some_and(|letter| caller.sees_letter(&letter)))
}

fn ambiguous(end: &IdEnd, ids: &[TaskId]) -> ApiError {
    let ids: Vec<String> = ids.iter().map(TaskId::to_string).collect();
    let message = format!("{} tasks have ids that end in {end}: {}", ids.len(), ids.join(", "));
    ApiError::new(StatusCode::CONFLICT, "CP-1431", message).at(Some("id"))
}
