//! Messages at the AMQP entrance, and patterns of the classification table.

use bytes::Bytes;
use serde_json::json;

use super::{
    Classifier,
    classify::By,
    letter::{self, Format},
};
use crate::{
    config::{Classes, Limits, Rule},
    task::{NewTask, Payload, fuzz::outlives},
};

/// The first byte says which content type the producer names.
pub fn letter(bytes: &[u8]) {
    let Some((first, body)) = bytes.split_first() else { return };
    let named = [None, Some("application/json"), Some("application/msgpack"), Some("text/plain")];
    let (body, limits) = (Bytes::copy_from_slice(body), Limits::default());
    let format = letter::format(named[usize::from(*first) % named.len()], &body);
    let parts = match letter::parts(&body, format, &limits) {
        Ok(parts) => parts,
        Err(rejection) => return assert!(!rejection.message.is_empty()),
    };
    assert!(parts.len() <= limits.batch.into());
    for part in parts {
        match letter::task(&part, format) {
            Ok(task) => {
                let read = |part: Vec<u8>| letter::task(&part.into(), Format::MessagePack).ok();
                outlives(&task, |task| rmp_serde::to_vec_named(task).ok().and_then(read));
            }
            Err(rejection) => assert!(!rejection.message.is_empty()),
        }
    }
}

/// A pattern, a line's end, and a kind.
pub fn pattern(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (pattern, kind) = text.split_once('\n').unwrap_or((&text, "email.send"));
    let Ok(rule) = serde_json::from_value::<Rule>(json!({"kinds": [pattern], "priority": "P0"})) else { return };
    let table = Classifier::new(&[rule], &Classes::default());
    let matched = table.classify(&NewTask::new(kind, Payload::null()), None).by == By::Rule(0);
    match pattern.split_once('*') {
        None => assert_eq!(matched, kind == pattern, "{pattern:?} {kind:?}"),
        Some((first, "")) => assert_eq!(matched, kind.starts_with(first), "{pattern:?} {kind:?}"),
        Some((first, _)) => assert!(!matched || kind.starts_with(first), "{pattern:?} {kind:?}"),
    }
}
