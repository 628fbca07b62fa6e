use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use clawpool_core::task::{Priority, Task, TaskId, Timestamp};

/// One line of the ledger: that a handler started a task, or did its work.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    pub id: TaskId,
    pub what: What,
    pub priority: Priority,
    /// Enqueue to this line, where the writer knows it.
    #[serde(default)]
    pub after_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    Start,
    Done,
}

/// Writes what handlers do to a file of this process, past everything that Clawpool stores.
#[derive(Debug)]
pub(super) struct Pen(Mutex<File>);

impl Pen {
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!("{}.jsonl", std::process::id()));
        OpenOptions::new().create(true).append(true).open(path).map(|file| Self(Mutex::new(file)))
    }

    pub(super) fn note(&self, task: &Task, what: What) -> io::Result<()> {
        let after_ms = Timestamp::now().since(task.enqueued_at).as_millis().try_into().ok();
        self.write(&Line { id: task.id, what, priority: task.priority, after_ms })
    }

    pub(super) fn write(&self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        // One write a line: a process killed in between leaves whole lines.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&text)
    }
}

/// What all processes wrote.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub starts: HashMap<TaskId, u32>,
    pub done: HashMap<TaskId, u32>,
    /// Enqueue to first start, for each priority.
    pub waits: HashMap<Priority, Vec<Duration>>,
}

impl Ledger {
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let mut first: HashMap<TaskId, (Priority, u64)> = HashMap::new();
        let mut ledger = Self::default();
        for path in files(folder)? {
            for line in BufReader::new(File::open(path)?).lines() {
                let line: Line = serde_json::from_str(&line?)?;
                let count = match line.what {
                    What::Start => &mut ledger.starts,
                    What::Done => &mut ledger.done,
                };
                *count.entry(line.id).or_default() += 1;
                if let (What::Start, Some(after_ms)) = (line.what, line.after_ms) {
                    let earliest = first.entry(line.id).or_insert((line.priority, after_ms));
                    earliest.1 = earliest.1.min(after_ms);
                }
            }
        }
        for (priority, after_ms) in first.into_values() {
            ledger.waits.entry(priority).or_default().push(Duration::from_millis(after_ms));
        }
        ledger.waits.values_mut().for_each(|waits| waits.sort());
        Ok(ledger)
    }
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
}
