//! Envelopes, and times and durations as people write them.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Message, NewTask, Task, Timestamp, span};

/// Reads the bytes as an envelope: what can be read is the same when it is written and read again.
pub fn envelope(bytes: &[u8]) {
    let Ok(task) = Task::decode(bytes) else { return };
    let message = task.to_message();
    let again = message.as_ref().ok().and_then(|message| message.task().ok());
    assert_eq!(again, Some(task), "an envelope changes when it is written and read again");
    let read = message.ok().map(|message| (Message::from_body(message.body.clone()).ok(), message));
    assert!(read.is_some_and(|(read, message)| read == Some(message)));
    let _ = Message::from_body(Bytes::copy_from_slice(bytes));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Spans {
    #[serde(default, with = "span::option")]
    span: Option<Duration>,
    time: Option<Timestamp>,
}

/// Reads the text as a duration and as a time: what can be read is the same when it is written again.
pub fn spans(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let quoted = serde_json::json!({ "span": text }).to_string();
    let timed = serde_json::json!({ "time": text }).to_string();
    let both = format!(r#"{{"span": {text}, "time": {text}}}"#);
    for json in [quoted, timed, both] {
        let Ok(spans) = serde_json::from_str::<Spans>(&json) else { continue };
        let again = serde_json::to_string(&spans).ok().and_then(|json| serde_json::from_str(&json).ok());
        assert_eq!(again, Some(spans), "a time changes when it is written and read again");
    }
}

/// The task is the same when it was written and read again. A payload's numbers may be written shorter the
/// first time, and never change after that.
pub fn outlives(task: &NewTask, again: impl Fn(&NewTask) -> Option<NewTask>) {
    let shown = |task: &NewTask| serde_json::to_string(task).ok();
    // A payload with keys that are no text, which the door refuses after this.
    let Some(text) = shown(task) else { return };
    let once = again(task);
    assert_eq!(once.as_ref().and_then(shown), Some(text), "a task changes when it is written and read again");
    let twice = once.as_ref().and_then(again);
    assert_eq!(twice, once, "a task changes when it is written and read a second time");
}
