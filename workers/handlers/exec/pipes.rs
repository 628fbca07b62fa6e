//! The program's three pipes. Nothing here grows with what the program writes.

use std::{collections::VecDeque, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::ChildStdin,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use clawpool_core::task::{Failure, LogLine, LogSource};
use clawpool_engine::worker::{AttemptLog, Context};

/// A program that closes its input unread, or ends before it has read it, is none the worse for it.
pub(super) async fn feed(mut stdin: ChildStdin, body: Vec<u8>) {
    let _ = stdin.write_all(&body).await;
}

/// The output, up to `limit` bytes and one more; with that one `flooded` fires and reading ends. Its lines go
/// to the attempt's log as they come.
pub(super) async fn collect(
    stdout: Option<impl AsyncRead + Unpin>,
    limit: usize,
    log: AttemptLog,
    flooded: CancellationToken,
) -> Vec<u8> {
    let mut output = Vec::new();
    let Some(stdout) = stdout else { return output };
    let more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut stdout = stdout.take(more);
    let mut line = Line::default();
    let mut logged = 0;
    // What could be read before an error is all there will be.
    while let Ok(1..) = stdout.read_buf(&mut output).await {
        if log.is_kept() {
            line.push(&output[logged..], |line| log.line(LogSource::Stdout, line));
            logged = output.len();
        }
    }
    line.end(|line| log.line(LogSource::Stdout, line));
    if output.len() > limit {
        flooded.cancel();
    }
    output
}

/// Reads standard error to its end: `progress: …` lines go to operators as they come, the last of the others
/// are returned. All go to the attempt's log.
pub(super) async fn notes(stderr: Option<impl AsyncRead + Unpin>, context: Context) -> Notes {
    let Some(mut stderr) = stderr else { return Notes::default() };
    let mut lines = Lines { log: context.attempt_log().clone(), ..Lines::default() };
    let mut told = Instant::now() - QUIET;
    let mut chunk = [0; 8192];
    loop {
        tokio::select! {
            read = stderr.read(&mut chunk) => match read {
                Ok(size @ 1..) => lines.push(&chunk[..size]),
                Ok(0) | Err(_) => break,
            },
            () = sleep_until(told + QUIET), if lines.progress.is_some() => {
                told = Instant::now();
                tell(&mut lines, &context);
            }
        }
    }
    lines.end();
    tell(&mut lines, &context);
    lines.last()
}

/// Between two pieces of news; of those that come faster, the latest is told.
const QUIET: Duration = Duration::from_millis(100);

fn tell(lines: &mut Lines, context: &Context) {
    if let Some(news) = lines.progress.take() {
        context.progress(news);
    }
}

/// The last lines of a program's standard error.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<String>);

impl Notes {
    /// The failure, with these lines at the end of its message.
    pub(super) fn after(&self, failure: Failure) -> Failure {
        let lines = self.0.iter().fold(String::new(), |text, line| text + "\n" + line);
        let mut longer = Failure::new(failure.class, failure.message + &lines);
        (longer.fatal, longer.retry_after, longer.exit) = (failure.fatal, failure.retry_after, failure.exit);
        longer.stderr_lines = self.0.len().try_into().unwrap_or(u16::MAX);
        longer
    }
}

/// A line being written, cut where a log cuts it.
#[derive(Default)]
struct Line(Vec<u8>);

impl Line {
    /// Tells of each line that ends in these bytes.
    fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(&str)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.extend(&bytes[..end]);
            each(&self.take());
            bytes = &bytes[end + 1..];
        }
        self.extend(bytes);
    }

    /// Tells of a last line without an end.
    fn end(&mut self, each: impl FnOnce(&str)) {
        if !self.0.is_empty() {
            each(&self.take());
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = LogLine::LONGEST + 1 - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn take(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.0).trim_end().to_owned();
        self.0.clear();
        line
    }
}

#[derive(Default)]
struct Lines {
    kept: VecDeque<String>,
    line: Line,
    progress: Option<String>,
    log: AttemptLog,
}

impl Lines {
    const KEPT: usize = 20;
    const WIDTH: usize = 512;

    fn push(&mut self, bytes: &[u8]) {
        let mut line = std::mem::take(&mut self.line);
        line.push(bytes, |line| self.add(line));
        self.line = line;
    }

    fn end(&mut self) {
        std::mem::take(&mut self.line).end(|line| self.add(line));
    }

    fn add(&mut self, line: &str) {
        if line.is_empty() {
            return;
        }
        self.log.line(LogSource::Stderr, line);
        if let Some(news) = line.strip_prefix("progress:") {
            self.progress = Some(news.trim().to_owned());
            return;
        }
        if self.kept.len() == Self::KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(line[..line.floor_char_boundary(Self::WIDTH)].to_owned());
    }

    /// The lines kept, as many of the latest as a message has room for.
    fn last(self) -> Notes {
        const ROOM: usize = 3000;
        let mut room = ROOM;
        let fits = self.kept.iter().rev().take_while(|line| {
            let fits = line.len() < room;
            room = room.saturating_sub(line.len() + 1);
            fits
        });
        let first = self.kept.len() - fits.count();
        Notes(self.kept.into_iter().skip(first).collect())
    }
}

/// Progress and notes in what a program wrote, for fuzzers.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read_notes<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Option<String>, String) {
    let mut lines = Lines::default();
    pieces.for_each(|piece| lines.push(piece));
    lines.end();
    (lines.progress.take(), lines.last().0.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_lines_and_cuts_long_ones() {
        let mut lines = Lines::default();
        for number in 0..100 {
            lines.push(format!("line {number}\n").as_bytes());
        }
        lines.push(&[b'x'; 10_000]);
        lines.push(b"still x\nprogress: half\nunfin");
        lines.push(b"ished");
        lines.end();
        assert_eq!(lines.progress.as_deref(), Some("half"));
        assert_eq!(lines.kept.len(), Lines::KEPT);
        let last = lines.last().0;
        assert_eq!(last.last().unwrap(), "unfinished");
        assert!(last.contains(&"line 99".to_owned()) && !last.contains(&"line 80".to_owned()), "{last:?}");
        assert!(last.concat().len() < 3100);
    }

    #[tokio::test]
    async fn collects_up_to_the_limit_and_says_when_it_was_passed() {
        let flooded = CancellationToken::new();
        assert_eq!(collect(Some(&b"12345"[..]), 5, AttemptLog::default(), flooded.clone()).await, b"12345");
        assert!(!flooded.is_cancelled());
        let endless = tokio::io::repeat(b'x');
        assert_eq!(collect(Some(endless), 5, AttemptLog::default(), flooded.clone()).await.len(), 6);
        assert!(flooded.is_cancelled());
    }
}
