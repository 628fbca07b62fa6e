use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{
    Api,
    auth::Caller,
    body::Body,
    decode,
    error::ApiError,
    query::Params,
    tasks,
    view::{AcceptedView, BatchLine},
};
use crate::{
    config::Scope,
    dispatch::{Accepted, Explanation, Rights},
    task::{NewTask, document::Parts},
};

/// One task, or up to `limits.batch` of them in an array.
pub(super) async fn enqueue(
    State(api): State<Arc<Api>>,
    caller: Caller,
    mut params: Params,
    body: Body,
) -> Result<Response, ApiError> {
    caller.needs(&[Scope::Enqueue])?;
    let wait = params.wait()?;
    params.done()?;
    let rights = rights(&caller);
    match decode::parts(&body.bytes, body.format, &api.config.limits)? {
        Parts::One(bytes) => {
            let task = decode::task(bytes, body.format, &api.config.limits)?;
            one(&api, task, rights, wait).await
        }
        Parts::Many(_) if wait.is_some() => Err(ApiError::field(
            "wait",
            "wait goes with a single task: ask for each result with GET /v1/tasks/ID?wait=10s",
        )),
        Parts::TooMany => Err(ApiError::batch_too_long(api.config.limits.batch.into())),
        Parts::Many(parts) => {
            let tasks = parts.into_iter().map(|bytes| decode::task(bytes, body.format, &api.config.limits)).collect();
            Ok(batch(&api, tasks, rights).await?.into_response())
        }
    }
}

/// What would become of a task.
pub(super) async fn explain(
    State(api): State<Arc<Api>>,
    caller: Caller,
    body: Body,
) -> Result<Json<Explanation>, ApiError> {
    caller.needs(&[Scope::Enqueue])?;
    let task = decode::task(&body.bytes, body.format, &api.config.limits)?;
    Ok(Json(api.producer.explain(&task, rights(&caller)).await?))
}

fn rights(caller: &Caller) -> Rights {
    Rights { priority: caller.may(Scope::Priority) }
}

async fn one(api: &Api, task: NewTask, rights: Rights, wait: Option<Duration>) -> Result<Response, ApiError> {
    let answer = api.producer.enqueue(vec![task], rights).await.pop();
    let accepted = answer.ok_or_else(|| ApiError::internal("the door gave no answer"))??;
    let mut view = AcceptedView::from(accepted);
    if let Some(wait) = wait {
        view.task = tasks::wait(api, view.id, wait).await?.map(Box::new);
    }
    let status = if view.duplicate { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(view)).into_response())
}

/// Each task is answered in its place, whatever became of its neighbours. When every one of them may be taken later,
/// the request as a whole is: 503 always means that nothing was taken.
async fn batch(
    api: &Api,
    decoded: Vec<Result<NewTask, ApiError>>,
    rights: Rights,
) -> Result<Json<Vec<BatchLine>>, ApiError> {
    let mut tasks = Vec::with_capacity(decoded.len());
    let faults: Vec<Option<ApiError>> =
        decoded.into_iter().map(|task| task.map(|task| tasks.push(task)).err()).collect();
    let mut answers = api.producer.enqueue(tasks, rights).await.into_iter();
    let mut next = || match answers.next() {
        Some(answer) => answer.map_err(ApiError::from),
        None => Err(ApiError::internal("the door gave no answer")),
    };
    let mut lines: Vec<_> = faults.into_iter().map(|fault| fault.map_or_else(&mut next, Err)).collect();
    if lines.iter().all(|line| line.as_ref().is_err_and(ApiError::is_busy))
        && let Some(Err(busy)) = lines.pop()
    {
        return Err(busy);
    }
    Ok(Json(lines.into_iter().map(line).collect()))
}

fn line(answer: Result<Accepted, ApiError>) -> BatchLine {
    match answer {
        Ok(accepted) => BatchLine::Accepted(accepted.into()),
        Err(error) => BatchLine::Refused { error: error.view() },
    }
}
