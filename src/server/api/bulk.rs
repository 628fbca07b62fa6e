use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};

use super::{Api, audit::Trail, body::Unread, caller::Caller, error::ApiError, named, query::checked};
use clawpool_backends::store::{DeadFilter, DeadLetter, LOOKED_AT, Requeued};
use clawpool_core::{
    config::Classes,
    task::{CodecError, Message, Payload, TaskId, TaskName, Timestamp},
};
use clawpool_engine::client::{
    Selection,
    view::{CountView, DeadChangedView},
};

const PAGE: usize = 200;
/// Pages of one request.
const PAGES: usize = 10;

enum Change {
    Requeue,
    /// One letter, with another payload.
    Edit(Payload),
    Discard,
    /// A dry run.
    Count,
}

pub(super) async fn requeue(
    State(api): State<Arc<Api>>,
    caller: Caller,
    trail: Trail,
    body: Unread,
) -> Result<Json<DeadChangedView>, ApiError> {
    change(&api, &caller, &trail, body, &Change::Requeue).await
}

pub(super) async fn discard(
    State(api): State<Arc<Api>>,
    caller: Caller,
    trail: Trail,
    body: Unread,
) -> Result<Json<DeadChangedView>, ApiError> {
    change(&api, &caller, &trail, body, &Change::Discard).await
}

async fn change(
    api: &Api,
    caller: &Caller,
    trail: &Trail,
    body: Unread,
    change: &Change,
) -> Result<Json<DeadChangedView>, ApiError> {
    let selection: Selection = body.read(api).await?.decode(&api.config().limits)?;
    trail.tell(serde_json::to_value(&selection).unwrap_or_default());
    let Selection { ids, filter, all, dry_run, cursor, payload } = selection;
    if cursor.is_some() {
        trail.leave_out();
    }
    let change = match (dry_run, payload) {
        (true, None) => {
            trail.leave_out();
            &Change::Count
        }
        (false, None) => change,
        (_, Some(payload)) => &edited(api, change, ids.as_deref(), payload)?,
    };
    let changed = match (ids, filter, all) {
        (Some(names), None, false) => {
            let ids = named::all(api, caller, &names).await?;
            DeadChangedView { counts: chosen(api, &ids, change).await?, ..DeadChangedView::default() }
        }
        (None, Some(filter), false) => {
            in_milliseconds(&filter)?;
            checked(filter.inside(), "filter.")?;
            matching(api, filter, cursor, change).await?
        }
        (None, None, true) => matching(api, DeadFilter::default(), cursor, change).await?,
        _ => {
            return Err(ApiError::malformed(
                r#"say which letters: {"ids":[…]}, {"filter":{…}} or {"all":true}"#,
            ));
        }
    };
    Ok(Json(changed))
}

/// A payload is one task's: for several it would most likely be a mistake.
fn edited(
    api: &Api,
    change: &Change,
    names: Option<&[TaskName]>,
    payload: Payload,
) -> Result<Change, ApiError> {
    let refused = |message: String| Err(ApiError::field("payload", message));
    if !matches!((change, names), (Change::Requeue, Some([_]))) {
        return refused("a payload goes with the requeue of one letter: name it in ids".into());
    }
    let limit = api.config().limits.payload.as_u64();
    match payload.as_message_pack().len() as u64 {
        length if length > limit => refused(format!("the payload has {length} bytes: the limit is {limit}")),
        _ => Ok(Change::Edit(payload)),
    }
}

/// A number of seconds taken for milliseconds would choose every letter, or none.
fn in_milliseconds(filter: &DeadFilter) -> Result<(), ApiError> {
    for (field, time) in [("filter.since", filter.since), ("filter.until", filter.until)] {
        if let Some(millis) = time.filter(|time| time.looks_like_seconds()).map(Timestamp::as_millis) {
            return Err(ApiError::seconds_for_milliseconds(field, millis));
        }
    }
    Ok(())
}

async fn chosen(api: &Api, ids: &[TaskId], change: &Change) -> Result<CountView, ApiError> {
    let mut count = CountView::default();
    for ids in ids.chunks(PAGE) {
        let mut letters = Vec::new();
        for id in ids {
            letters.extend(api.store.dead_letter(*id).await?);
        }
        count += apply(api, &letters, change).await?;
    }
    Ok(count)
}

/// Goes once through the letters that there are now: a task that dies again at once is before the cursor,
/// and is not taken a second time.
async fn matching(
    api: &Api,
    mut filter: DeadFilter,
    mut cursor: Option<String>,
    change: &Change,
) -> Result<DeadChangedView, ApiError> {
    let now = Timestamp::now() + Duration::from_millis(1);
    filter.until = Some(filter.until.map_or(now, |until| until.min(now)));
    let mut changed = DeadChangedView::default();
    for _ in 0..PAGES {
        let page = api.store.dead(&filter, cursor.as_deref(), PAGE).await?;
        changed.counts += apply(api, &page.items, change).await?;
        changed.looked_at += page.looked_at.unwrap_or_default() as u64;
        cursor = page.next;
        if cursor.is_none() || changed.looked_at >= LOOKED_AT as u64 {
            break;
        }
    }
    changed.next = cursor;
    if changed.next.is_none() {
        changed.looked_at = 0;
    }
    Ok(changed)
}

async fn apply(api: &Api, letters: &[DeadLetter], change: &Change) -> Result<CountView, ApiError> {
    if letters.is_empty() {
        return Ok(CountView::default());
    }
    match change {
        Change::Discard => {
            let ids: Vec<_> = letters.iter().map(|letter| letter.message.id).collect();
            Ok(CountView { count: api.store.discard(&ids).await?, kept: 0 })
        }
        Change::Count => Ok(CountView { count: letters.len() as u64, kept: 0 }),
        Change::Requeue => requeue_all(api, letters, None).await,
        Change::Edit(payload) => requeue_all(api, letters, Some(payload)).await,
    }
}

async fn requeue_all(
    api: &Api,
    letters: &[DeadLetter],
    payload: Option<&Payload>,
) -> Result<CountView, ApiError> {
    let messages = next_generations(letters, payload, &api.config().classes);
    let Requeued { taken, kept } = api.store.requeue(&messages).await?;
    Ok(CountView { count: taken, kept })
}

/// A letter whose message is no task (the broker gave up on garbage) cannot run and stays.
fn next_generations(letters: &[DeadLetter], payload: Option<&Payload>, classes: &Classes) -> Vec<Message> {
    let next = |letter: &DeadLetter| {
        next_generation(letter, payload, classes, Timestamp::now())
            .inspect_err(
                |error| tracing::warn!(task = %letter.message.id, %error, "a dead letter cannot run again"),
            )
            .ok()
    };
    letters.iter().filter_map(next).collect()
}

/// The task as new, but for its history.
fn next_generation(
    letter: &DeadLetter,
    payload: Option<&Payload>,
    classes: &Classes,
    now: Timestamp,
) -> Result<Message, CodecError> {
    let mut task = letter.message.task()?;
    task.payload = payload.cloned().unwrap_or(task.payload);
    task.generation += 1;
    task.attempt = 0;
    task.handed_on = 0;
    task.not_before = Some(now);
    task.expires_at = now + classes.get(task.priority).ttl;
    task.to_message()
}
