use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{BodyDataStream, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

use super::{Api, decode, error::ApiError};
use clawpool_core::config::Limits;
pub(super) use clawpool_core::task::document::Format;

/// A request whose body is still to come: whether it may send one is decided first.
pub(super) struct Unread(Request);

impl<S: Sync> FromRequest<S> for Unread {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        Ok(Self(request))
    }
}

/// A body read to its end within its limits.
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) format: Format,
    /// Its share of the memory for bodies.
    _share: Share,
}

/// No body is longer, whatever the limits of the configuration multiply to.
const LONGEST: usize = 64 << 20;
/// Longer bodies have a room of their own, so that they do not hold up single tasks.
const SHORT: usize = 1 << 20;
/// How long a body waits for others to be done.
const MEMORY_WAIT: Duration = Duration::from_secs(5);
/// A body that is not whole by then holds memory for nothing.
const PATIENCE: Duration = Duration::from_secs(60);
/// In each such span a body must be whole, or grow by this much.
const SPAN: Duration = Duration::from_secs(10);
const LEAST: usize = 64 << 10;

/// JSON writes a payload with up to about twice its MessagePack bytes; names and other fields come on top.
pub(super) fn longest(limits: &Limits) -> usize {
    let task = limits.payload.as_u64().saturating_mul(2).saturating_add(8 * 1024);
    usize::try_from(task.saturating_mul(limits.batch.into())).unwrap_or(LONGEST).min(LONGEST)
}

/// Memory for the bodies that are there together, in KiB.
pub(super) struct BodyMemory {
    short: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

type Share = OwnedSemaphorePermit;

impl BodyMemory {
    pub(super) fn new() -> Self {
        let room = |bytes: usize| Arc::new(Semaphore::new(bytes >> 10));
        Self { short: room(64 * SHORT), long: room(2 * LONGEST) }
    }

    /// Room for a body of this length. Until there is some, the body stays with its sender, which is soon
    /// stopped by the network: it has to send nothing twice, as after a refusal.
    async fn share(&self, length: usize) -> Result<Share, ApiError> {
        let room = if length <= SHORT { &self.short } else { &self.long };
        let share = u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX);
        match timeout(MEMORY_WAIT, Arc::clone(room).acquire_many_owned(share)).await {
            Ok(Ok(share)) => Ok(share),
            _ => Err(ApiError::busy("CP-1403", "too many long requests at once: send this one again")),
        }
    }
}

impl Unread {
    /// Reads the body, once the caller has shown that it may send one.
    pub(super) async fn read(self, api: &Api) -> Result<Body, ApiError> {
        let limit = longest(&api.config().limits);
        let format = format(self.0.headers())?;
        let announced = announced(self.0.headers());
        if announced.is_some_and(|length| length > limit) {
            return Err(ApiError::too_large(limit));
        }
        // One that does not say how long it will be is taken for a short one until it is longer.
        let mut share = api.body_memory.share(announced.unwrap_or(SHORT).min(limit)).await?;
        let mut pieces = self.0.into_body().into_data_stream();
        let mut body = Pieces::default();
        let mut pace = Pace::new();
        while let Some(piece) = pace.next(&mut pieces, body.length()).await? {
            let length = body.length() + piece.len();
            if length > limit {
                return Err(ApiError::too_large(limit));
            }
            if announced.is_none() && body.length() <= SHORT && length > SHORT {
                share = api.body_memory.share(limit).await?;
            }
            body.add(piece);
        }
        Ok(Body { bytes: body.whole(), format, _share: share })
    }
}

/// What has come of a body. Most come in one piece, which is not copied.
#[derive(Default)]
struct Pieces {
    first: Bytes,
    all: Vec<u8>,
}

impl Pieces {
    fn length(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    fn add(&mut self, piece: Bytes) {
        if self.length() == 0 {
            self.first = piece;
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.all.extend_from_slice(&piece);
    }

    fn whole(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.into() }
    }
}

/// How fast a body comes.
struct Pace {
    end: Instant,
    /// When it must have grown, and from which length.
    look: Instant,
    before: usize,
}

impl Pace {
    fn new() -> Self {
        let now = Instant::now();
        Self { end: now + PATIENCE, look: now + SPAN, before: 0 }
    }

    /// The next piece of a body that is `length` long by now.
    async fn next(&mut self, pieces: &mut BodyDataStream, length: usize) -> Result<Option<Bytes>, ApiError> {
        loop {
            match timeout_at(self.look.min(self.end), pieces.next()).await {
                Ok(piece) => return piece.transpose().map_err(|error| broken_off(&error)),
                Err(_) if Instant::now() < self.end && length >= self.before + LEAST => {
                    self.look = Instant::now() + SPAN;
                    self.before = length;
                }
                Err(_) => return Err(too_slow()),
            }
        }
    }
}

fn too_slow() -> ApiError {
    let message = "the body comes too slowly: at least 64 KiB each 10s, and all of it within 60s";
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "CP-1401", message)
}

fn broken_off(error: &axum::Error) -> ApiError {
    ApiError::malformed(format!("the body broke off: {error}"))
}

impl Body {
    pub(super) fn decode<T: DeserializeOwned>(&self, limits: &Limits) -> Result<T, ApiError> {
        decode::value(&self.bytes, self.format, limits)
    }
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

pub(super) fn format(headers: &HeaderMap) -> Result<Format, ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Format::Json) };
    let text = String::from_utf8_lossy(value.as_bytes()).to_lowercase();
    match text.split(';').next().unwrap_or_default().trim() {
        "application/json" => Ok(Format::Json),
        "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => {
            Ok(Format::MessagePack)
        }
        other => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "CP-1410",
            format!(
                "the content type {other:?} is not read here: send application/json or application/msgpack"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_holds_a_full_batch_and_never_more_than_the_cap() {
        let small = Limits { batch: 10, ..Limits::default() };
        assert!(longest(&small) >= 10 * 256 * 1024 && longest(&small) < 64 << 20);
        assert_eq!(longest(&Limits::default()), 64 << 20);
        assert_eq!(longest(&Limits { batch: u16::MAX, ..Limits::default() }), 64 << 20);
    }
}
