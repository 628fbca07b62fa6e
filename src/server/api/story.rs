//! One task's page: its record, what its producer sent, its attempts, and their logs.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::{
    Api,
    caller::Caller,
    error::ApiError,
    named,
    query::{Name, Params},
    tasks::{seen, unknown},
};
use clawpool_backends::{path::peek, store::Record};
use clawpool_core::task::{DeadReason, LogLine, ProcessId, State as TaskState, Story};
use clawpool_engine::client::task::{
    AttemptLogView, AttemptOutcome, AttemptView, LogsView, StoryView, TaskDetail,
};

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    name: Name,
    mut params: Params,
) -> Result<Json<TaskDetail>, ApiError> {
    let id = named::task(&api, &caller, &name).await?;
    let limit = params.wait()?;
    params.done()?;
    let record = seen(&api, &caller, id, limit).await?.ok_or_else(|| unknown(id))?;
    let story = story(&api, &record).await?;
    Ok(Json(TaskDetail { record, story }))
}

/// What is told of a task: by its message, where that can be had, or else by its record.
async fn story(api: &Api, record: &Record) -> Result<StoryView, ApiError> {
    let mut dead = None;
    let mut missing = None;
    let message = if record.state == TaskState::Dead {
        let letter = api.store.dead_letter(record.id).await?;
        dead = letter.as_ref().map(|letter| letter.reason);
        letter.map(|letter| letter.message)
    } else {
        peek(&*api.store, &*api.broker, record).await.unwrap_or_else(|error| {
            missing = Some(error.to_string());
            None
        })
    };
    let told = message.and_then(|message| message.task().ok()).map(Story::of).or_else(|| record.story());
    let mut attempts = told.as_ref().map(|told| ended(record, told, dead)).unwrap_or_default();
    if let (TaskState::Running, Some(worker)) = (record.state, record.worker) {
        attempts.push(running(api, record, worker).await);
    }
    let Some(told) = told else {
        let payload_missing = missing.or_else(|| Some(why_missing(record)));
        return Ok(StoryView { payload_missing, dead_reason: dead, attempts, ..StoryView::default() });
    };
    let view = StoryView {
        payload_bytes: Some(told.payload_bytes()),
        session: told.session.clone(),
        tier: told.tier,
        trace: told.trace.clone(),
        meta: told.meta.clone(),
        dead_reason: dead,
        attempts,
        ..StoryView::default()
    };
    Ok(match told.into_payload() {
        Some(payload) => StoryView { payload: Some(payload), ..view },
        None => {
            let missing = "it is longer than attempts.payload, which is kept once its message is gone";
            StoryView { payload_missing: Some(missing.to_owned()), ..view }
        }
    })
}

fn why_missing(record: &Record) -> String {
    match record.state {
        TaskState::Queued | TaskState::Running => format!(
            "its message is on the queue {}, which cannot be read or is too long to be searched: it is shown \
             after the first attempt",
            record.queue
        ),
        TaskState::Scheduled => "its message is gone: enqueue the task again with the same id".to_owned(),
        TaskState::Dead => "the dead letter was discarded".to_owned(),
        TaskState::Cancelled => "the task was cancelled before it ran".to_owned(),
        TaskState::Completed => "an earlier version's worker ran the task".to_owned(),
    }
}

/// The attempts that are over.
fn ended(record: &Record, told: &Story, dead: Option<DeadReason>) -> Vec<AttemptView> {
    let last = told.errors.len().saturating_sub(1);
    let outcome = |index| match dead {
        Some(_) if index == last => AttemptOutcome::Dead,
        _ => AttemptOutcome::Retried,
    };
    let failed = told.errors.iter().enumerate();
    let mut attempts: Vec<AttemptView> =
        failed.map(|(index, error)| AttemptView::failed(error, outcome(index))).collect();
    let outcome = match record.state {
        TaskState::Completed => AttemptOutcome::Completed,
        TaskState::Cancelled => AttemptOutcome::Cancelled,
        _ => return attempts,
    };
    if told.last.is_some() {
        let view = AttemptView::new(record.attempt + 1, outcome).by(told.last.clone());
        attempts.push(AttemptView { ended_at: record.finished_at, ..view });
    }
    attempts
}

/// The one that runs. What is not known of its worker is left out.
async fn running(api: &Api, record: &Record, worker: ProcessId) -> AttemptView {
    let workers = api.store.workers().await.unwrap_or_default();
    let beat = workers.into_iter().map(|info| info.beat).find(|beat| beat.worker == worker);
    AttemptView {
        worker: Some(worker),
        worker_version: beat.and_then(|beat| beat.version),
        started_at: record.started_at,
        ..AttemptView::new(record.attempt + 1, AttemptOutcome::Running)
    }
}

pub(super) async fn logs(
    State(api): State<Arc<Api>>,
    caller: Caller,
    name: Name,
    mut params: Params,
) -> Result<Json<LogsView>, ApiError> {
    let id = named::task(&api, &caller, &name).await?;
    let attempt: Option<u32> = params.value("attempt")?;
    params.done()?;
    let is_known = match api.store.record(id).await? {
        Some(record) if !caller.sees(&record) => return Err(unknown(id)),
        Some(_) => true,
        // Whose it was is forgotten: logs are kept for longer than records.
        None => {
            caller.oversees().map_err(|_| unknown(id))?;
            false
        }
    };
    let logs = api.store.logs(id).await?;
    if logs.is_empty() && !is_known {
        return Err(unknown(id));
    }
    let asked = logs.into_iter().filter(|log| attempt.is_none_or(|attempt| attempt == log.attempt));
    let view = |attempt, lines: &[u8]| AttemptLogView { attempt, lines: LogLine::read(lines).collect() };
    Ok(Json(LogsView { id, items: asked.map(|log| view(log.attempt, &log.lines)).collect() }))
}
