use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
};
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use super::{Api, decode, error::ApiError};
use crate::config::Limits;
pub(super) use crate::task::document::Format;

/// A body read to its end within its limits.
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) format: Format,
    /// Its share of the memory for bodies; others wait for none.
    _room: OwnedSemaphorePermit,
}

/// No body is longer, whatever the limits of the configuration multiply to.
const LONGEST: u64 = 64 << 20;
/// Bodies in memory together, in KiB: four of the longest.
pub(super) const ROOM: usize = 4 * (LONGEST as usize >> 10);
/// A client that sends slower than this holds memory for nothing.
const SLOWEST: Duration = Duration::from_secs(60);

/// JSON writes a payload with up to about twice its MessagePack bytes; names and other fields come on top.
pub(super) fn longest(limits: &Limits) -> usize {
    let task = limits.payload.as_u64().saturating_mul(2).saturating_add(8 * 1024);
    usize::try_from(task.saturating_mul(limits.batch.into()).min(LONGEST)).unwrap_or(LONGEST as usize)
}

impl FromRequest<Arc<Api>> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, ApiError> {
        let limit = longest(&api.config.limits);
        let format = format(request.headers())?;
        let announced = announced(request.headers()).unwrap_or(limit);
        if announced > limit {
            return Err(ApiError::too_large(limit));
        }
        let share = u32::try_from(announced.div_ceil(1024)).unwrap_or(u32::MAX);
        let room = Arc::clone(&api.room)
            .try_acquire_many_owned(share)
            .map_err(|_| ApiError::busy("CP-1403", "too many long requests at once: send this one again"))?;
        let bytes = tokio::time::timeout(SLOWEST, Bytes::from_request(request, api))
            .await
            .map_err(|_| ApiError::new(StatusCode::REQUEST_TIMEOUT, "CP-1401", "the body did not arrive within 60s"))?
            .map_err(|error| unread(&error, limit))?;
        Ok(Self { bytes, format, _room: room })
    }
}

impl Body {
    pub(super) fn decode<T: DeserializeOwned>(&self, limits: &Limits) -> Result<T, ApiError> {
        decode::value(&self.bytes, self.format, limits)
    }
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn unread(error: &BytesRejection, limit: usize) -> ApiError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        ApiError::too_large(limit)
    } else {
        ApiError::malformed(format!("the body broke off: {}", error.body_text()))
    }
}

fn format(headers: &HeaderMap) -> Result<Format, ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Format::Json) };
    let text = String::from_utf8_lossy(value.as_bytes()).to_lowercase();
    match text.split(';').next().unwrap_or_default().trim() {
        "application/json" => Ok(Format::Json),
        "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => Ok(Format::MessagePack),
        other => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "CP-1410",
            format!("the content type {other:?} is not read here: send application/json or application/msgpack"),
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
