use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::{RawValue, to_raw_value};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};

use super::failure::Failure;
use clawpool_core::{
    config::Limits,
    task::{TaskId, without_mark},
};

/// Reads a file of JSON lines as batches of tasks.
pub(super) struct Lines {
    reader: Box<dyn AsyncBufRead + Unpin>,
    number: u64,
    ended: bool,
}

/// Tasks as JSON objects, each with the number of its line.
#[derive(Debug, Default)]
pub(super) struct Batch {
    tasks: Vec<(u64, String)>,
    bytes: usize,
}

/// A line that cannot be sent, and why.
pub(super) type LineFault = (u64, String);

/// A longer line is no task anywhere: servers take 64 MiB at most.
const LONGEST_LINE: u64 = 64 << 20;
/// Enough to keep a server busy, small enough to be repeated.
const BATCH_BYTES: usize = 8 << 20;

impl Lines {
    pub(super) async fn open(path: &Path) -> Result<Self, Failure> {
        let reader: Box<dyn AsyncBufRead + Unpin> = if path.as_os_str() == "-" {
            Box::new(BufReader::new(tokio::io::stdin()))
        } else {
            let file = tokio::fs::File::open(path).await;
            let file =
                file.map_err(|error| Failure::failed(format!("{} cannot be read: {error}", path.display())))?;
            Box::new(BufReader::with_capacity(1 << 16, file))
        };
        Ok(Self { reader, number: 0, ended: false })
    }

    /// The next batch, and the lines on the way that are no tasks. Both empty at the end.
    pub(super) async fn next(&mut self) -> Result<(Batch, Vec<LineFault>), Failure> {
        let mut batch = Batch::default();
        let mut faults = Vec::new();
        let most = usize::from(Limits::default().batch);
        while batch.len() + faults.len() < most && batch.bytes < BATCH_BYTES && !self.ended {
            let Some(line) = self.line().await? else { continue };
            match task(&line) {
                Ok(task) => batch.push(self.number, task),
                Err(fault) => faults.push((self.number, fault)),
            }
        }
        Ok((batch, faults))
    }

    /// One line that is not blank.
    async fn line(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut line = Vec::new();
        let read = (&mut self.reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await;
        let read = read.map_err(|error| Failure::failed(format!("line {}: {error}", self.number + 1)))?;
        self.ended = read == 0;
        self.number += 1;
        Ok((!without_mark(&line).trim_ascii().is_empty()).then_some(line))
    }
}

/// A line as a task object with an id, so that a batch whose answer was lost can be sent again and adds
/// nothing twice.
pub(super) fn task(line: &[u8]) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Known {
        #[serde(default, deserialize_with = "given")]
        id: Option<Option<IgnoredAny>>,
    }
    let text = std::str::from_utf8(without_mark(line)).map_err(|error| format!("not UTF-8: {error}"))?.trim();
    let known: Known = serde_json::from_str(text).map_err(|error| format!("not a task in JSON: {error}"))?;
    match (known.id, text.strip_prefix('{')) {
        (None, Some(rest)) if rest.trim_start().starts_with('}') => {
            Ok(format!(r#"{{"id":"{}"}}"#, TaskId::new()))
        }
        (None, Some(rest)) => Ok(format!(r#"{{"id":"{}",{rest}"#, TaskId::new())),
        (Some(Some(_)), Some(_)) => Ok(text.to_owned()),
        (Some(None), Some(_)) => identified(text).map_err(|error| format!("not a task in JSON: {error}")),
        (_, None) => Err("not an object: write one task a line, {\"kind\":\"email.send\"}".to_owned()),
    }
}

/// Tells a field that is null from one that is not there.
fn given<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Option<IgnoredAny>>, D::Error> {
    Option::deserialize(reader).map(Some)
}

/// The task with an id in place of its null; all else stays as it was written.
fn identified(text: &str) -> serde_json::Result<String> {
    let mut fields: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
    let id = to_raw_value(&TaskId::new())?;
    fields.insert("id".to_owned(), &id);
    serde_json::to_string(&fields)
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) fn push(&mut self, line: u64, task: String) {
        self.bytes += task.len();
        self.tasks.push((line, task));
    }

    pub(super) fn first_line(&self) -> u64 {
        self.tasks.first().map_or(0, |(line, _)| *line)
    }

    pub(super) fn to_json(&self) -> String {
        let tasks: Vec<_> = self.tasks.iter().map(|(_, task)| task.as_str()).collect();
        format!("[{}]", tasks.join(","))
    }

    pub(super) fn split(mut self) -> (Self, Self) {
        let tasks = self.tasks.split_off(self.tasks.len() / 2);
        (self, Self { tasks, bytes: 0 })
    }

    pub(super) fn into_tasks(self) -> impl Iterator<Item = (u64, String)> {
        self.tasks.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &'static str) -> Lines {
        Lines { reader: Box::new(text.as_bytes()), number: 0, ended: false }
    }

    #[tokio::test]
    async fn numbers_lines_and_skips_blank_ones() {
        let mut lines = lines("{\"kind\":\"a\"}\r\n\n  \nnonsense\n[1]\n {\"kind\":\"b\"}");
        let (batch, faults) = lines.next().await.unwrap();
        assert_eq!(batch.tasks.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 6]);
        assert_eq!(faults.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [4, 5]);
        let (batch, faults) = lines.next().await.unwrap();
        assert!(batch.is_empty() && faults.is_empty());
    }

    #[tokio::test]
    async fn a_byte_order_mark_costs_nothing() {
        let mut lines = lines("\u{feff}{\"kind\":\"a\"}\n{\"kind\":\"b\"}\n\u{feff}\n");
        let (batch, faults) = lines.next().await.unwrap();
        assert_eq!((batch.len(), faults.len()), (2, 0), "{faults:?}");
    }

    #[test]
    fn gives_tasks_ids_and_leaves_theirs() {
        let with =
            |line: &str| serde_json::from_str::<serde_json::Value>(&task(line.as_bytes()).unwrap()).unwrap();
        assert!(with(r#"{"kind":"a"}"#)["id"].is_string());
        assert!(with("{ }")["id"].is_string());
        assert!(with(r#"{"id":null,"kind":"a"}"#)["id"].is_string());
        assert_eq!(with(r#" {"kind":"a","id":"mine"}"#)["id"], "mine");
        assert!(task(b"\"text\"").is_err() && task(b"\xff").is_err() && task(b"{\"kind\":").is_err());
    }
}
