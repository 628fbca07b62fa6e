//! Bodies and query strings, as anybody may send them.

use axum::{extract::FromRequestParts, http::Request};
use futures::FutureExt;

use super::{body::Format, decode, error::ApiError, query::Params};
use crate::{
    config::Limits,
    store::Record,
    task::{KEYS, NewTask, document::Parts, fuzz::outlives},
};

pub fn json(bytes: &[u8]) {
    body(bytes, Format::Json, |task| serde_json::to_vec(task).ok());
}

pub fn message_pack(bytes: &[u8]) {
    body(bytes, Format::MessagePack, |task| rmp_serde::to_vec_named(task).ok());
}

fn body(bytes: &[u8], format: Format, encode: impl Fn(&NewTask) -> Option<Vec<u8>>) {
    let limits = Limits::default();
    let parts = match decode::parts(bytes, format, &limits) {
        Ok(Parts::One(part)) => vec![part],
        Ok(Parts::Many(parts)) => parts,
        // Too many are an error before they come here.
        Ok(Parts::TooMany) => Vec::new(),
        Err(error) => return says_what(error, false),
    };
    assert!(parts.len() <= limits.batch.into(), "{} tasks in one batch", parts.len());
    for part in parts {
        match decode::task(part, format, &limits) {
            Ok(task) => {
                outlives(&task, |task| decode::task(&encode(task)?, format, &limits).ok());
            }
            Err(error) => says_what(error, is_object(part, format)),
        }
    }
}

fn is_object(part: &[u8], format: Format) -> bool {
    match format {
        Format::Json => part.trim_ascii_start().starts_with(b"{"),
        Format::MessagePack => matches!(part.first(), Some(0x80..=0x8f | 0xde | 0xdf)),
    }
}

/// What is wrong with a field of `named` ones is told with the field.
fn says_what(error: ApiError, named: bool) {
    let view = error.view();
    assert!(!view.message.is_empty() && view.message.len() < 2100, "{view:?}");
    let told = view.field.is_some() || view.message.ends_with(KEYS);
    assert!(!named || view.code != "CP-1402" || told, "a wrong field is not named: {view:?}");
}

/// What listings are asked with.
pub fn query(bytes: &[u8]) {
    let uri = format!("http://localhost/v1/tasks?{}", String::from_utf8_lossy(bytes));
    let Ok(request) = Request::builder().uri(uri).body(()) else { return };
    let mut parts = request.into_parts().0;
    let Some(read) = Params::from_request_parts(&mut parts, &()).now_or_never() else { return };
    let asked = read.and_then(|mut params| {
        assert!((1..=1000).contains(&params.limit()?));
        params.wait()?;
        params.time("from")?;
        params.value::<crate::task::State>("state")?;
        params.value::<crate::task::Priority>("priority")?;
        params.value::<crate::task::TaskId>("id")?;
        params.text("cursor");
        params.done()
    });
    asked.unwrap_or_else(|error| says_what(error, true));
    // The same text as a record that a client reads.
    let _ = serde_json::from_slice::<Record>(bytes);
}
