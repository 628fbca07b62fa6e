use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};

use super::{Api, audit::Trail, body::Unread, error::ApiError};
use clawpool_backends::store::{DeadFilter, DeadLetter, Requeued};
use clawpool_core::{
    config::Classes,
    task::{CodecError, Message, TaskId, Timestamp},
};
use clawpool_engine::client::{Selection, view::CountView};

const PAGE: usize = 200;

enum Change {
    Requeue,
    Discard,
}

pub(super) async fn requeue(
    State(api): State<Arc<Api>>,
    trail: Trail,
    body: Unread,
) -> Result<Json<CountView>, ApiError> {
    change(&api, &trail, body, &Change::Requeue).await
}

pub(super) async fn discard(
    State(api): State<Arc<Api>>,
    trail: Trail,
    body: Unread,
) -> Result<Json<CountView>, ApiError> {
    change(&api, &trail, body, &Change::Discard).await
}

async fn change(
    api: &Api,
    trail: &Trail,
    body: Unread,
    change: &Change,
) -> Result<Json<CountView>, ApiError> {
    let selection: Selection = body.read(api).await?.decode(&api.config().limits)?;
    trail.tell(serde_json::to_value(&selection).unwrap_or_default());
    let counts = match selection {
        Selection { ids: Some(ids), filter: None, all: false } => chosen(api, &ids, change).await?,
        Selection { ids: None, filter: Some(filter), all: false } => {
            in_milliseconds(&filter)?;
            matching(api, filter, change).await?
        }
        Selection { ids: None, filter: None, all: true } => {
            matching(api, DeadFilter::default(), change).await?
        }
        _ => {
            return Err(ApiError::malformed(
                r#"say which letters: {"ids":[…]}, {"filter":{…}} or {"all":true}"#,
            ));
        }
    };
    Ok(Json(counts))
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

/// Goes once through the letters there are now: a task that dies again at once is not taken a second time.
async fn matching(api: &Api, mut filter: DeadFilter, change: &Change) -> Result<CountView, ApiError> {
    let now = Timestamp::now() + Duration::from_millis(1);
    filter.until = Some(filter.until.map_or(now, |until| until.min(now)));
    let mut count = CountView::default();
    let mut cursor = None::<String>;
    loop {
        let page = api.store.dead(&filter, cursor.as_deref(), PAGE).await?;
        count += apply(api, &page.items, change).await?;
        cursor = match page.next {
            Some(next) => Some(next),
            None => return Ok(count),
        };
    }
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
        Change::Requeue => {
            let Requeued { taken, kept } =
                api.store.requeue(&next_generations(letters, &api.config().classes)).await?;
            Ok(CountView { count: taken, kept })
        }
    }
}

/// A letter whose message is no task (the broker gave up on garbage) cannot run and stays.
fn next_generations(letters: &[DeadLetter], classes: &Classes) -> Vec<Message> {
    let next = |letter: &DeadLetter| {
        next_generation(letter, classes, Timestamp::now())
            .inspect_err(
                |error| tracing::warn!(task = %letter.message.id, %error, "a dead letter cannot run again"),
            )
            .ok()
    };
    letters.iter().filter_map(next).collect()
}

/// The task as new, but for its history.
fn next_generation(letter: &DeadLetter, classes: &Classes, now: Timestamp) -> Result<Message, CodecError> {
    let mut task = letter.message.task()?;
    task.generation += 1;
    task.attempt = 0;
    task.handed_on = 0;
    task.not_before = Some(now);
    task.expires_at = now + classes.get(task.priority).ttl;
    task.to_message()
}
