//! Bodies of new tasks at every entrance, and patterns of the classification table.

use bytes::Bytes;
use serde_json::json;

use super::{
    Classifier, Rejection,
    classify::DecidedBy,
    codec::{self, Format},
};
use clawpool_core::{
    config::{Config, Limits, Rule},
    task::{KEYS, NewTask, Payload, fuzz::outlives},
};

/// The first byte says which content type the producer names.
pub fn tasks(bytes: &[u8]) {
    let Some((first, body)) = bytes.split_first() else { return };
    let named = [None, Some("application/json"), Some("application/msgpack"), Some("text/plain")];
    let body = Bytes::copy_from_slice(body);
    let limits = Limits::default();
    let format = codec::format(named[usize::from(*first) % named.len()], &body);
    let parts = match codec::parts(&body, format, &limits) {
        Ok(parts) => parts,
        Err(rejection) => return says_what(&rejection, false),
    };
    assert!((1..=limits.batch.into()).contains(&parts.len()), "{} tasks in one batch", parts.len());
    for part in parts {
        match format.task(&part) {
            Ok(task) => {
                outlives(&task, |task| format.task(&encode(task, format)?).ok());
            }
            Err(unread) => says_what(&unread.into(), is_object(&part, format)),
        }
    }
}

fn encode(task: &NewTask, format: Format) -> Option<Vec<u8>> {
    match format {
        Format::Json => serde_json::to_vec(task).ok(),
        Format::MessagePack => rmp_serde::to_vec_named(task).ok(),
    }
}

fn is_object(part: &[u8], format: Format) -> bool {
    match format {
        Format::Json => part.trim_ascii_start().starts_with(b"{"),
        Format::MessagePack => matches!(part.first(), Some(0x80..=0x8f | 0xde | 0xdf)),
    }
}

/// What is wrong with a field of `named` ones is told with the field.
fn says_what(rejection: &Rejection, named: bool) {
    assert!(!rejection.message.is_empty(), "{rejection:?}");
    let told = rejection.field.is_some() || rejection.message.ends_with(KEYS);
    assert!(!named || rejection.code != "CP-1402" || told, "a wrong field is not named: {rejection:?}");
}

/// A pattern, a line's end, and a kind.
pub fn pattern(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (pattern, kind) = text.split_once('\n').unwrap_or((&text, "email.send"));
    let Ok(rule) = serde_json::from_value::<Rule>(json!({"kinds": [pattern], "priority": "P0"})) else {
        return;
    };
    let table = Classifier::new(&Config { rules: vec![rule], ..Config::default() });
    let matched = table.classify(&NewTask::new(kind, Payload::null()), None).by == DecidedBy::Rule(0);
    match pattern.split_once('*') {
        None => assert_eq!(matched, kind == pattern, "{pattern:?} {kind:?}"),
        Some((first, "")) => assert_eq!(matched, kind.starts_with(first), "{pattern:?} {kind:?}"),
        Some((first, _)) => assert!(!matched || kind.starts_with(first), "{pattern:?} {kind:?}"),
    }
}
