use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    Api,
    body::{Format, Unread},
    caller::Caller,
    error::ApiError,
    idempotency::{Keyed, SentKey, fingerprint, told},
    query::Params,
    tasks,
    trace::TraceHeaders,
};
use clawpool_core::task::{NewTask, document::Parts};
use clawpool_engine::{
    client::view::{AcceptedView, BatchLine},
    dispatch::{Accepted, Explanation},
};

/// One task, or up to `limits.batch` of them in an array.
pub(super) async fn enqueue(
    State(api): State<Arc<Api>>,
    caller: Caller,
    mut params: Params,
    trace: TraceHeaders,
    key: SentKey,
    body: Unread,
) -> Result<Response, ApiError> {
    let wait = params.wait()?;
    params.done()?;
    let body = body.read(&api).await?;
    match body.format.parts(&body.bytes, api.config().limits.batch.into())? {
        Parts::One(bytes) => {
            let mut task = trace.adopted(body.format.task(bytes)?);
            let keyed = key.of(&caller, || fingerprint(&[bytes], body.format));
            if let Some(keyed) = &keyed {
                task = keyed.mark(0, task)?;
            }
            let answer = one(&api, &caller, task, wait).await;
            if keyed.is_some() { answer.map_err(told) } else { answer }
        }
        Parts::Many(_) if wait.is_some() => Err(ApiError::field(
            "wait",
            "wait goes with a single task: ask for each result with GET /v1/tasks/ID?wait=10s",
        )),
        Parts::Many(parts) => {
            let keyed = key.of(&caller, || fingerprint(&parts, body.format));
            let reading = Reading { format: body.format, trace, keyed };
            Ok(batch(&api, &caller, &parts, &reading).await?.into_response())
        }
    }
}

/// What would become of a task.
pub(super) async fn explain(
    State(api): State<Arc<Api>>,
    caller: Caller,
    body: Unread,
) -> Result<Json<Explanation>, ApiError> {
    let body = body.read(&api).await?;
    let task = body.format.task(&body.bytes)?;
    Ok(Json(api.producer.explain(&task, &caller.rights()).await?))
}

async fn one(
    api: &Api,
    caller: &Caller,
    task: NewTask,
    wait: Option<Duration>,
) -> Result<Response, ApiError> {
    let answer = api.producer.enqueue(vec![task], caller.rights()).await.pop();
    let accepted = answer.ok_or_else(|| ApiError::internal("the producer gave no answer"))??;
    let mut view = accepted_view(accepted);
    if let Some(wait) = wait {
        // The task of a known unique key may be another token's.
        let record = if view.duplicate {
            tasks::seen(api, caller, view.id, Some(wait)).await?
        } else {
            tasks::wait(api, view.id, wait).await?
        };
        view.task = record.map(Box::new);
    }
    let status = if view.duplicate { StatusCode::OK } else { StatusCode::CREATED };
    let location = [(header::LOCATION, format!("/v1/tasks/{}", view.id))];
    Ok((status, location, Json(view)).into_response())
}

/// How the tasks of a batch are read.
struct Reading {
    format: Format,
    trace: TraceHeaders,
    keyed: Option<Keyed>,
}

impl Reading {
    fn task(&self, index: usize, bytes: &[u8]) -> Result<NewTask, ApiError> {
        let task = self.trace.adopted(self.format.task(bytes)?);
        match &self.keyed {
            Some(keyed) => keyed.mark(index, task),
            None => Ok(task),
        }
    }

    /// Refuses a batch whose key was sent with another one, by its first task that can have been taken.
    async fn check(&self, api: &Api, caller: &Caller, parts: &[&[u8]]) -> Result<(), ApiError> {
        let Some(keyed) = &self.keyed else { return Ok(()) };
        for (index, bytes) in parts.iter().enumerate() {
            let Ok(task) = self.task(index, bytes) else { continue };
            if api.producer.explain(&task, &caller.rights()).await.is_ok() {
                return keyed.check(api, index).await;
            }
        }
        Ok(())
    }
}

/// Bytes of a batch that are decoded and placed together: a long one is in memory once, and not five times. A
/// thousand tasks of the usual size are one such group.
const GROUP: usize = 4 << 20;

/// Each task is answered in its place, whatever became of its neighbours. When every one of them may be taken
/// later, the request as a whole is: 503 always means that nothing was taken.
async fn batch(
    api: &Api,
    caller: &Caller,
    parts: &[&[u8]],
    reading: &Reading,
) -> Result<Json<Vec<BatchLine>>, ApiError> {
    reading.check(api, caller, parts).await?;
    let mut lines = Vec::with_capacity(parts.len());
    while lines.len() < parts.len() {
        let done = lines.len();
        let rest = &parts[done..];
        let numbered = (done..).zip(&rest[..group(rest)]);
        let decoded = numbered.map(|(index, bytes)| reading.task(index, bytes)).collect();
        let mut answers = place(api, caller, decoded).await;
        if reading.keyed.is_some() {
            answers = answers.into_iter().map(|answer| answer.map_err(told)).collect();
        }
        let busy = answers.iter().all(|answer| answer.as_ref().is_err_and(ApiError::is_busy));
        match answers.pop() {
            Some(Err(error)) if busy && lines.is_empty() => return Err(error),
            // The others would fare no better, each after a time-out of its own.
            Some(Err(error)) if busy => lines.resize(parts.len(), line(Err(error))),
            last => lines.extend(answers.into_iter().chain(last).map(line)),
        }
    }
    Ok(Json(lines))
}

/// How many of the parts go together: as many as fit, and one at least.
fn group(parts: &[&[u8]]) -> usize {
    let mut bytes = 0;
    let fits = |part: &&&[u8]| {
        bytes += part.len();
        bytes <= GROUP
    };
    parts.iter().take_while(fits).count().max(1)
}

async fn place(
    api: &Api,
    caller: &Caller,
    decoded: Vec<Result<NewTask, ApiError>>,
) -> Vec<Result<Accepted, ApiError>> {
    let mut tasks = Vec::with_capacity(decoded.len());
    let faults: Vec<Option<ApiError>> =
        decoded.into_iter().map(|task| task.map(|task| tasks.push(task)).err()).collect();
    let mut answers = api.producer.enqueue(tasks, caller.rights()).await.into_iter();
    let mut next = || match answers.next() {
        Some(answer) => answer.map_err(ApiError::from),
        None => Err(ApiError::internal("the producer gave no answer")),
    };
    faults.into_iter().map(|fault| fault.map_or_else(&mut next, Err)).collect()
}

fn line(answer: Result<Accepted, ApiError>) -> BatchLine {
    match answer {
        Ok(accepted) => BatchLine::Accepted(accepted_view(accepted)),
        Err(error) => BatchLine::Refused { error: error.view() },
    }
}

fn accepted_view(accepted: Accepted) -> AcceptedView {
    let Accepted { id, priority, queue, duplicate, due_at, warnings } = accepted;
    AcceptedView { id, priority, queue, duplicate, due_at, warnings, task: None }
}
