//! What programs and web services answer.

use std::time::Duration;

use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderValue, RETRY_AFTER},
};

use super::{
    exec, http,
    reply::{self, ErrorReply},
};
use clawpool_core::task::{ErrorClass, Failure, Timestamp};

/// The first byte says how a program's standard error comes in pieces.
pub fn exec(bytes: &[u8]) {
    answer(bytes);
    let Some((first, rest)) = bytes.split_first() else { return };
    let (news, notes) = exec::read_notes(rest.chunks(usize::from(*first) + 1));
    let news = news.map_or(0, |news| news.len());
    // A byte that is no UTF-8 becomes a character of three.
    assert!(notes.len() < 3 * 4096 && news <= 3 * 512, "{} bytes of notes, {news} of progress", notes.len());
}

/// Two bytes of status, a line with a Retry-After header, and the body.
pub fn http(bytes: &[u8]) {
    let Some((status, rest)) = bytes.split_first_chunk::<2>() else { return };
    if let Ok(status) = StatusCode::from_u16(u16::from_be_bytes(*status) % 1000) {
        http::status::class(status);
    }
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (header, body) = rest.split_at(end);
    if let Ok(value) = HeaderValue::from_bytes(header) {
        let headers: HeaderMap = [(RETRY_AFTER, value)].into_iter().collect();
        let _: Option<Duration> =
            http::status::retry_after(&headers, Timestamp::from_millis(1_700_000_000_000));
    }
    answer(body);
}

fn answer(body: &[u8]) {
    match reply::result(body) {
        Ok(result) => drop(serde_json::to_vec(&result)),
        Err(failure) => assert!(!failure.message.is_empty() && failure.message.len() < 1000, "{failure}"),
    }
    let plain = Failure::new(ErrorClass::Other, "plain");
    if let Some(reply) = ErrorReply::read(body) {
        let refined = reply.refine(&plain);
        let packed = rmp_serde::to_vec_named(&refined).ok();
        let again = packed.and_then(|bytes| rmp_serde::from_slice::<Failure>(&bytes).ok());
        assert_eq!(again, Some(refined), "a failure changes when it is written and read again");
    }
}
