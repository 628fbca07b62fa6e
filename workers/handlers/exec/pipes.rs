//! The program's three pipes. Nothing here grows with what the program writes.

use std::{collections::VecDeque, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::ChildStdin,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use clawpool_engine::worker::Context;

/// A program that closes its input unread, or ends before it has read it, is none the worse for it.
pub(super) async fn feed(mut stdin: ChildStdin, body: Vec<u8>) {
    let _ = stdin.write_all(&body).await;
}

/// The output, up to `limit` bytes and one more; with that one `flooded` fires and reading ends.
pub(super) async fn collect(
    stdout: Option<impl AsyncRead + Unpin>,
    limit: usize,
    flooded: CancellationToken,
) -> Vec<u8> {
    let mut output = Vec::new();
    let Some(stdout) = stdout else { return output };
    let more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    // What could be read before an error is all there will be.
    let _ = stdout.take(more).read_to_end(&mut output).await;
    if output.len() > limit {
        flooded.cancel();
    }
    output
}

/// Reads standard error to its end: `progress: …` lines go to operators as they come, the last of the others
/// are returned, ready to be appended to a message.
pub(super) async fn notes(stderr: Option<impl AsyncRead + Unpin>, context: Context) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let mut lines = Lines::default();
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

#[derive(Default)]
struct Lines {
    kept: VecDeque<String>,
    /// The line being written, cut at `WIDTH`.
    line: Vec<u8>,
    progress: Option<String>,
}

impl Lines {
    const KEPT: usize = 20;
    const WIDTH: usize = 512;

    fn push(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.extend(&bytes[..end]);
            self.end();
            bytes = &bytes[end + 1..];
        }
        self.extend(bytes);
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = Self::WIDTH - self.line.len();
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end(&mut self) {
        let line = String::from_utf8_lossy(&self.line).trim_end().to_owned();
        self.line.clear();
        if let Some(news) = line.strip_prefix("progress:") {
            self.progress = Some(news.trim().to_owned());
        } else if !line.is_empty() {
            if self.kept.len() == Self::KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(line);
        }
    }

    /// The lines kept, as many of the latest as a message has room for.
    fn last(self) -> String {
        const ROOM: usize = 3000;
        let mut room = ROOM;
        let fits = self.kept.iter().rev().take_while(|line| {
            let fits = line.len() < room;
            room = room.saturating_sub(line.len() + 1);
            fits
        });
        let count = fits.count();
        let lines: Vec<String> = self.kept.into_iter().rev().take(count).collect();
        lines.into_iter().rev().fold(String::new(), |text, line| text + "\n" + &line)
    }
}

/// Progress and notes in what a program wrote, for fuzzers.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read_notes<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Option<String>, String) {
    let mut lines = Lines::default();
    pieces.for_each(|piece| lines.push(piece));
    lines.end();
    (lines.progress.take(), lines.last())
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
        let last = lines.last();
        assert!(
            last.ends_with("\nunfinished") && last.contains("\nline 99\n") && !last.contains("line 80\n"),
            "{last}"
        );
        assert!(last.len() < 3100);
    }

    #[tokio::test]
    async fn collects_up_to_the_limit_and_says_when_it_was_passed() {
        let flooded = CancellationToken::new();
        assert_eq!(collect(Some(&b"12345"[..]), 5, flooded.clone()).await, b"12345");
        assert!(!flooded.is_cancelled());
        assert_eq!(collect(Some(tokio::io::repeat(b'x')), 5, flooded.clone()).await.len(), 6);
        assert!(flooded.is_cancelled());
    }
}
