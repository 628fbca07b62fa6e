use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;

use super::{
    Api,
    caller::Caller,
    error::ApiError,
    named,
    query::{Name, Params},
};
use clawpool_backends::store::{DeadFilter, DeadLetter, Page, Store, StoreError};
use clawpool_core::task::Inside;
use clawpool_engine::client::view::{DeadDetail, DeadView};

/// A page for some queues may have fewer entries than asked for and still go on.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<Page<DeadView>>, ApiError> {
    let filter = filter(&caller, &mut params)?;
    let cursor = params.text("cursor");
    let limit = params.limit()?;
    params.done()?;
    let page = api.store.dead(&filter, cursor.as_deref(), limit).await?;
    let seen = page.items.iter().filter(|letter| caller.sees_letter(letter));
    let items = seen.map(DeadView::from).collect();
    Ok(Json(Page { items, next: page.next, looked_at: page.looked_at }))
}

fn filter(caller: &Caller, params: &mut Params) -> Result<DeadFilter, ApiError> {
    let Inside { session, tag, text } = params.inside()?;
    Ok(DeadFilter {
        session,
        tag,
        text,
        kind: params.value("kind")?,
        reason: params.value("reason")?,
        priority: params.value("priority")?,
        tenant: caller.tenant(params.text("tenant"))?,
        since: params.time("since")?,
        until: params.time("until")?,
    })
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    name: Name,
) -> Result<Json<DeadDetail>, ApiError> {
    let id = named::task(&api, &caller, &name).await?;
    let letter = api.store.dead_letter(id).await?.filter(|letter| caller.sees_letter(letter));
    let letter =
        letter.ok_or_else(|| ApiError::not_found(format!("there is no dead letter of task {id}")))?;
    Ok(Json(DeadDetail::from(&letter)))
}

/// Every matching letter, whole, one JSON object a line. A store that fails on the way breaks the connection
/// off, so that half an export is not taken for all of it.
pub(super) async fn export(
    State(api): State<Arc<Api>>,
    caller: Caller,
    mut params: Params,
) -> Result<Response, ApiError> {
    let filter = filter(&caller, &mut params)?;
    params.done()?;
    // The first page is read before the status is sent.
    let first = api.store.dead(&filter, None, EXPORT_PAGE).await?;
    let pages = stream::try_unfold(Some(first), move |page| {
        lines(Arc::clone(&api.store), caller.clone(), filter.clone(), page)
    });
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], Body::from_stream(pages)).into_response())
}

const EXPORT_PAGE: usize = 200;

type Letters = Page<DeadLetter>;

/// The lines of one page, and the page after it.
async fn lines(
    store: Arc<dyn Store>,
    caller: Caller,
    filter: DeadFilter,
    page: Option<Letters>,
) -> Result<Option<(Bytes, Option<Letters>)>, StoreError> {
    let Some(page) = page else { return Ok(None) };
    let mut lines = Vec::new();
    for letter in page.items.iter().filter(|letter| caller.sees_letter(letter)) {
        // Fails only for a payload that cannot be JSON; the letter stays in the store.
        let mark = lines.len();
        match serde_json::to_writer(&mut lines, &DeadDetail::from(letter)) {
            Ok(()) => lines.push(b'\n'),
            Err(error) => {
                tracing::warn!(task = %letter.message.id, %error, "a dead letter cannot be exported");
                lines.truncate(mark);
            }
        }
    }
    let next = match page.next {
        Some(cursor) => Some(store.dead(&filter, Some(&cursor), EXPORT_PAGE).await?),
        None => None,
    };
    Ok(Some((lines.into(), next)))
}
