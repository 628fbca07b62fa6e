//! A line of an attempt's log, as it is kept: the time, a word for where it comes from, and the text.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Timestamp;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// When it was read or logged, by the worker's clock.
    pub at: Timestamp,
    /// Where it comes from.
    pub from: LogSource,
    /// Without its end.
    pub text: String,
}

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// A program's standard output.
    Stdout,
    /// A program's standard error.
    Stderr,
    /// A handler's own words.
    Log,
}

impl LogSource {
    const ALL: [Self; 3] = [Self::Stdout, Self::Stderr, Self::Log];

    /// As in JSON: `stderr`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Log => "log",
        }
    }
}

impl fmt::Display for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl LogLine {
    /// Bytes of a text; the rest of a longer one is cut.
    pub const LONGEST: usize = 2048;

    /// Adds a line with its end. Whatever the text, it is one line.
    pub fn write(lines: &mut Vec<u8>, at: Timestamp, from: LogSource, text: &str) {
        let end = text.floor_char_boundary(Self::LONGEST);
        let one_line = text[..end].replace(['\n', '\r'], " ");
        let cut = if end < text.len() { "…" } else { "" };
        lines.extend_from_slice(format!("{} {from} {one_line}{cut}\n", at.as_millis()).as_bytes());
    }

    /// The lines of a log. What is none is left out.
    pub fn read(lines: &[u8]) -> impl Iterator<Item = Self> {
        lines.split(|byte| *byte == b'\n').filter_map(|line| {
            let line = String::from_utf8_lossy(line);
            let mut parts = line.splitn(3, ' ');
            let at = Timestamp::from_millis(parts.next()?.parse().ok()?);
            let word = parts.next()?;
            let from = LogSource::ALL.into_iter().find(|from| from.name() == word)?;
            Some(Self { at, from, text: parts.next()?.to_owned() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written() {
        let at = Timestamp::now();
        let mut lines = Vec::new();
        LogLine::write(&mut lines, at, LogSource::Stderr, "one two\nthree");
        LogLine::write(&mut lines, at, LogSource::Log, "");
        LogLine::write(&mut lines, at, LogSource::Stdout, &"ä".repeat(LogLine::LONGEST));
        let read: Vec<LogLine> = LogLine::read(&lines).collect();
        let text = |line: &LogLine| (line.from, line.text.clone());
        assert_eq!(text(&read[0]), (LogSource::Stderr, "one two three".to_owned()));
        assert_eq!(text(&read[1]), (LogSource::Log, String::new()));
        assert_eq!(read[2].text.len(), LogLine::LONGEST + "…".len());
        assert!(read.iter().all(|line| line.at == at));
        assert_eq!(LogLine::read(b"garbage\n\n12 nobody x\n").count(), 0);
    }
}
