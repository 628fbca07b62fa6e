//! Lines of a file of tasks, and times on the command line.

use super::{jsonl, select};

pub(crate) fn line(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = (select::past(&text), select::duration(&text));
    match jsonl::task(bytes) {
        Ok(task) => {
            let sent = serde_json::from_str::<serde_json::Value>(&task);
            assert!(sent.is_ok_and(|task| !task["id"].is_null()), "not a task with an id: {task}");
        }
        Err(fault) => assert!(!fault.is_empty()),
    }
}
