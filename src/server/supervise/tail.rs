//! A child's log lines: passed on to this process's own standard error, where they steer no terminal, and the
//! last ones kept for its crash report.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    task::JoinHandle,
    time::timeout,
};

use crate::telemetry::Lines;

/// Lines kept, and the bytes of each.
const LINES: usize = 40;
const LENGTH: usize = 1_000;
/// A line as long as this is passed on in pieces.
const PIECE: usize = 16 * 1024;
/// A program that the child left behind may hold the pipe open for ever.
const PATIENCE: Duration = Duration::from_millis(500);

pub(super) struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Tail {
    pub(super) fn of(stderr: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let lines = Arc::<Mutex<VecDeque<String>>>::default();
        let reader = stderr.map(|stderr| tokio::spawn(follow(stderr, lines.clone())));
        Self { lines, reader }
    }

    /// The last lines of a child that has ended.
    pub(super) async fn last(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            let _ = timeout(PATIENCE, reader).await;
        }
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}

async fn follow(stderr: impl AsyncRead + Unpin, lines: Arc<Mutex<VecDeque<String>>>) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    let mut out = Lines::new(std::io::stderr());
    while let Ok(chunk) = reader.fill_buf().await {
        if chunk.is_empty() {
            break;
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(chunk.len(), |end| end + 1);
        line.extend_from_slice(&chunk[..taken]);
        reader.consume(taken);
        if end.is_some() || line.len() >= PIECE {
            pass_on(&mut line, &mut out, &lines);
        }
    }
    if !line.is_empty() {
        pass_on(&mut line, &mut out, &lines);
    }
}

fn pass_on(line: &mut Vec<u8>, out: &mut Lines<std::io::Stderr>, lines: &Mutex<VecDeque<String>>) {
    // Standard error may be closed; the child's work does not depend on it.
    let _ = out.write(line);
    let text = String::from_utf8_lossy(&line[..line.len().min(LENGTH)]).trim_end().to_owned();
    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    if lines.len() == LINES {
        lines.pop_front();
    }
    lines.push_back(text);
    line.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_lines_are_kept_and_each_is_cut() {
        let mut text: Vec<u8> = (0..100).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        text.extend([b'x'; 3 * PIECE]);
        text.extend(b"\n\xff\xfe no text\nthe end");
        let lines = Tail::of(Some(std::io::Cursor::new(text))).last().await;
        assert_eq!(lines.len(), LINES);
        assert!(lines.iter().all(|line| line.len() <= LENGTH));
        assert_eq!(lines.last().unwrap(), "the end");
        assert!(lines[LINES - 2].ends_with("no text"));
        assert!(lines.contains(&"line 99".to_owned()));
    }
}
