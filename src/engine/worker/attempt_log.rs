//! Lines of attempts, on their way from handlers to the store, beside the way of tasks and outcomes.
//!
//! Guarantees: a handler never waits for it; what is gathered here is bounded, the oldest lines of an attempt
//! go first. Never does: write a line by itself. Lines of less than a second are lost with a killed worker.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use clawpool_backends::store::{LogLines, LogRules};
use clawpool_core::task::{LogLine, LogSource, TaskId, Timestamp};

tokio::task_local! {
    /// That of the attempt whose handler is being polled.
    static CURRENT: AttemptLog;
}

/// Where the lines of one attempt go; nowhere where no logs are kept.
#[derive(Clone, Debug, Default)]
pub struct AttemptLog(Option<Way>);

#[derive(Clone, Debug)]
struct Way {
    logs: Arc<Logs>,
    id: TaskId,
    attempt: u32,
}

impl AttemptLog {
    /// Adds a line.
    pub fn line(&self, from: LogSource, text: &str) {
        if let Some(Way { logs, id, attempt }) = &self.0 {
            logs.add((*id, *attempt), from, text);
        }
    }

    /// Whether lines go anywhere.
    pub const fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// That of the attempt whose handler calls this, in the handler's own task.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Runs a handler that finds this as [`AttemptLog::current`].
    pub(super) async fn around<F: Future>(self, handler: F) -> F::Output {
        CURRENT.scope(self, handler).await
    }
}

/// Of all attempts in one call to the store.
const CALL: usize = 1 << 20;
/// Gathered while the store does not answer; then lines are dropped.
const MOST: usize = 16 << 20;

/// What is gathered.
#[derive(Debug)]
pub(super) struct Logs {
    pub rules: LogRules,
    lines: Mutex<Lines>,
    /// There are lines, after there were none.
    pub news: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    of: HashMap<(TaskId, u32), Vec<u8>>,
    bytes: usize,
    dropped: u64,
}

impl Logs {
    pub fn new(rules: LogRules) -> Arc<Self> {
        Arc::new(Self { rules, lines: Mutex::default(), news: Notify::new() })
    }

    pub fn of(self: &Arc<Self>, id: TaskId, attempt: u32) -> AttemptLog {
        AttemptLog(Some(Way { logs: Arc::clone(self), id, attempt }))
    }

    /// Whole after each change, so a panic elsewhere does not spoil it.
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, attempt: (TaskId, u32), from: LogSource, text: &str) {
        let mut lines = self.lines();
        if lines.bytes >= MOST {
            lines.dropped += 1;
            return;
        }
        let log = lines.of.entry(attempt).or_default();
        let before = log.len();
        LogLine::write(log, Timestamp::now(), from, text);
        // Seldom, so that a flood costs little: half of it would not be kept.
        if log.len() > 2 * self.rules.most {
            log.drain(..log.len() - self.rules.latest(log).len());
        }
        let after = log.len();
        let was_empty = lines.bytes == 0;
        lines.bytes = lines.bytes + after - before;
        drop(lines);
        if was_empty {
            self.news.notify_one();
        }
    }

    /// Takes some of what is gathered; nothing when there is nothing. And how many lines were dropped.
    pub fn take(&self) -> (Vec<LogLines>, u64) {
        let mut lines = self.lines();
        let mut bytes = 0;
        let fits = |log: &Vec<u8>| {
            let fits = bytes < CALL;
            bytes += log.len();
            fits
        };
        let mut fits = fits;
        let keys: Vec<(TaskId, u32)> =
            lines.of.iter().take_while(|(_, log)| fits(log)).map(|(key, _)| *key).collect();
        let mut pieces = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(log) = lines.of.remove(&key) else { continue };
            lines.bytes -= log.len();
            pieces.push(LogLines { id: key.0, attempt: key.1, lines: log.into() });
        }
        (pieces, std::mem::take(&mut lines.dropped))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn logs(most: usize) -> Arc<Logs> {
        Logs::new(LogRules { most, keep: Duration::from_secs(60) })
    }

    fn texts(piece: &LogLines) -> Vec<String> {
        LogLine::read(&piece.lines).map(|line| line.text).collect()
    }

    #[test]
    fn lines_are_gathered_by_attempt() {
        let logs = logs(1000);
        let [one, other] = [TaskId::new(), TaskId::new()];
        logs.of(one, 1).line(LogSource::Log, "a");
        logs.of(other, 1).line(LogSource::Stdout, "x");
        logs.of(one, 1).line(LogSource::Log, "b");
        let (pieces, dropped) = logs.take();
        assert_eq!((pieces.len(), dropped), (2, 0));
        let piece = pieces.iter().find(|piece| piece.id == one).unwrap();
        assert_eq!((piece.attempt, texts(piece)), (1, vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(logs.take().0, []);
    }

    #[test]
    fn a_flood_is_bounded_and_its_last_lines_stay() {
        let logs = logs(1000);
        let log = logs.of(TaskId::new(), 1);
        for number in 0..10_000 {
            log.line(LogSource::Stdout, &format!("line {number}"));
        }
        let (pieces, _) = logs.take();
        assert!(pieces[0].lines.len() <= 2000, "{}", pieces[0].lines.len());
        assert_eq!(texts(&pieces[0]).pop().unwrap(), "line 9999");
        assert_eq!(logs.lines().bytes, 0);
    }

    #[test]
    fn lines_beyond_all_room_are_dropped_and_counted() {
        let logs = logs(MOST);
        let text = "x".repeat(LogLine::LONGEST);
        let count = 2 * MOST / text.len();
        for _ in 0..count {
            logs.of(TaskId::new(), 1).line(LogSource::Stdout, &text);
        }
        let mut taken = 0;
        let mut dropped = 0;
        loop {
            let (pieces, lost) = logs.take();
            if pieces.is_empty() {
                break;
            }
            taken += pieces.len() as u64;
            dropped += lost;
        }
        assert_eq!(taken + dropped, count as u64);
        assert!(dropped > 0);
    }

    #[tokio::test]
    async fn a_handler_finds_the_log_of_its_attempt() {
        let logs = logs(1000);
        assert!(AttemptLog::current().is_none());
        let handler = async { AttemptLog::current().unwrap().line(LogSource::Log, "here") };
        logs.of(TaskId::new(), 3).around(handler).await;
        let (pieces, _) = logs.take();
        assert_eq!((pieces[0].attempt, texts(&pieces[0])), (3, vec!["here".to_owned()]));
    }
}
