//! Events as they happen, as server-sent events.
//!
//! Guarantees: an event of the journal is told once to each stream, also when its reader comes back to
//! another dispatcher; streams leave a part of the connections to others; a token that opens nothing any more
//! ends its streams within seconds. Never does: look at anything while nobody listens, write, or touch the
//! way of a task.

mod frame;
mod hub;
mod keep;
mod log;
mod part;
mod picture;
mod places;
mod seats;
mod sights;
mod stream;
mod task;
mod topics;
mod watched;

use std::{convert::Infallible, sync::Arc};

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream::unfold};

pub(super) use self::hub::Hub;
use self::{part::Part, places::Places, stream::TopicStream, task::TaskStream, topics::Topics};
use super::{
    Api, auth,
    caller::Caller,
    error::ApiError,
    query::Params,
    server::Peer,
    tasks::{seen, unknown},
};
use clawpool_core::{config, task::TaskId};

pub(super) async fn follow(
    State(api): State<Arc<Api>>,
    caller: Caller,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let task: Option<TaskId> = params.value("task")?;
    let topics = params.text("topics");
    let after = params.text("after");
    params.done()?;
    // A browser that lost its stream asks for the same address again, and says where it was in the header.
    let last = headers.get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let after = last.filter(|id| !id.is_empty()).or(after);
    let topics = match (task, topics) {
        (Some(_), Some(_)) => {
            return Err(ApiError::field("topics", "send topics or task, not both: open two streams"));
        }
        (Some(_), None) => Topics::default(),
        (None, topics) => Topics::asked(topics.as_deref(), &caller)?,
    };
    let part = |api: &Arc<Api>| -> Result<Part, ApiError> {
        let seat = api.events.seats.take(most(api)).ok_or_else(full)?;
        let credential = caller.token().and_then(|_| auth::shown(&headers));
        let activity = peer.map(|Extension(peer)| peer.activity);
        Ok(Part::new(Hub::join(api, topics, &caller, credential, activity), seat))
    };
    if let Some(id) = task {
        if after.as_deref() == Some(frame::ENDED) {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        let record = seen(&api, &caller, id, None).await?.ok_or_else(|| unknown(id))?;
        let stream = TaskStream::open(Arc::clone(&api), part(&api)?, &record);
        return Ok(answer(unfold(stream, |mut stream| async move {
            stream.next().await.map(|bytes| (bytes, stream))
        })));
    }
    let after = after.map(|id| places(&id)).transpose()?;
    let stream = TopicStream::open(Arc::clone(&api), part(&api)?, topics, &caller, after).await?;
    Ok(answer(unfold(stream, |mut stream| async move { stream.next().await.map(|bytes| (bytes, stream)) })))
}

fn places(id: &str) -> Result<Places, ApiError> {
    id.parse().map_err(|_| {
        let message = format!("after is {id:?}: send the id of an event as the stream had it");
        ApiError::field("after", message)
    })
}

/// Streams at a time: as the configuration says, and never the last part of the connections.
fn most(api: &Api) -> u64 {
    let connections = u32::try_from(api.connections.most()).unwrap_or(u32::MAX);
    api.config().api.streams.min(config::Api::streams_of(connections)).into()
}

fn full() -> ApiError {
    metrics::counter!("clawpool_event_streams_refused_total").increment(1);
    let message = "as many streams of events are open as may be: close some, ask another dispatcher, or \
        raise api.streams";
    ApiError::busy("CP-1430", message)
}

fn answer(events: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/event-stream"),
        (header::CACHE_CONTROL.as_str(), "no-store"),
        // Proxies would keep events until they have many.
        ("x-accel-buffering", "no"),
    ];
    (headers, Body::from_stream(events.map(Ok::<_, Infallible>))).into_response()
}
