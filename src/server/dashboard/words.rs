//! Numbers, times and names as people read them.

use std::time::Duration;

use bytesize::ByteSize;
use clawpool_core::task::{IdEnd, TaskId, Timestamp};
use serde::Serialize;
use serde_json::Value;

/// With a comma between thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits or so.
pub(super) fn short(number: f64) -> String {
    let large = number.abs();
    match large {
        _ if !number.is_finite() => "–".to_owned(),
        0.0 => "0".to_owned(),
        ..0.01 => format!("{number:.3}"),
        ..1.0 => format!("{number:.2}"),
        ..100.0 => format!("{number:.1}"),
        ..10_000.0 => count(number.round() as u64),
        ..1e6 => format!("{:.1}k", number / 1e3),
        ..1e9 => format!("{:.1}M", number / 1e6),
        _ => format!("{:.1}G", number / 1e9),
    }
}

/// Of one: `99.95 %`.
pub(super) fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if (99.0..100.0).contains(&percent) {
        // 99.999 is not 100.
        return format!("{:.3} %", (percent * 1e3 + 1e-6).floor() / 1e3);
    }
    format!("{percent:.1} %")
}

/// `850 ms`, `3.2 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let two = |large: u64, unit: &str, small: u64, part: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {part}"),
    };
    match seconds {
        0 if span.as_millis() == 0 && !span.is_zero() => format!("{} µs", span.as_micros()),
        0 => format!("{} ms", span.as_millis()),
        1..10 => format!("{:.1} s", span.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

pub(super) fn millis(millis: f64) -> String {
    span(Duration::from_secs_f64((millis / 1e3).clamp(0.0, 1e12)))
}

pub(super) fn bytes(number: u64) -> String {
    ByteSize(number).to_string()
}

/// One of our enums as its JSON has it, with spaces.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text.replace('_', " "),
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// A moment, for the two ways in which a template writes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct When(pub(super) Timestamp);

impl When {
    /// For `datetime=`.
    pub(super) fn machine(&self) -> String {
        self.0.to_string()
    }

    /// `2026-01-31 09:00:00 UTC`
    pub(super) fn whole(&self) -> String {
        let text = self.0.to_string();
        match text.split_once('T') {
            Some((day, time)) => format!("{day} {} UTC", time.get(..8).unwrap_or(time)),
            None => text,
        }
    }

    /// `3 min ago`, `in 2 h`.
    pub(super) fn near(&self) -> String {
        let now = Timestamp::now();
        if self.0 > now {
            return format!("in {}", coarse(self.0.since(now)));
        }
        match now.since(self.0) {
            passed if passed.as_secs() == 0 => "now".to_owned(),
            passed => format!("{} ago", coarse(passed)),
        }
    }
}

/// In one unit.
fn coarse(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// The end of an id, which the API and the commands understand.
pub(super) fn end(id: TaskId) -> String {
    IdEnd::of(id).to_string()
}

/// A text in a list: its first line, and not too much of it.
pub(super) fn first_line(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.len() == text.len() && text.len() <= most {
        return text.to_owned();
    }
    format!("{}…", &line[..line.floor_char_boundary(most)])
}

/// Not more than so many bytes of a text.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}… ({} in all)", &text[..text.floor_char_boundary(most)], bytes(text.len() as u64))
}

/// As one word of a shell's command line.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:=@%+,/".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_are_read_at_a_glance() {
        let counts = [0, 999, 1_000, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
        let shorts = [0.0, 0.004, 0.5, 12.34, 1_234.0, 12_345.0, 3.2e6].map(short);
        assert_eq!(shorts, ["0", "0.004", "0.50", "12.3", "1,234", "12.3k", "3.2M"]);
        assert_eq!([1.0, 0.999_99, 0.5].map(percent), ["100.0 %", "99.999 %", "50.0 %"]);
        let spans = [850, 3_200, 42_000, 250_000, 7_500_000, 273_600_000];
        let spans = spans.map(|millis| span(Duration::from_millis(millis)));
        assert_eq!(spans, ["850 ms", "3.2 s", "42 s", "4 min 10 s", "2 h 5 min", "3 d 4 h"]);
        assert_eq!([12, 2_048, 5 << 30].map(bytes), ["12 B", "2.0 KiB", "5.0 GiB"]);
    }

    #[test]
    fn a_command_line_is_one_whatever_the_names() {
        assert_eq!(quoted("high.p2"), "high.p2");
        assert_eq!(quoted("a b; rm -rf ~"), "'a b; rm -rf ~'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn lists_have_the_beginning_of_a_text() {
        assert_eq!(first_line("short", 20), "short");
        assert_eq!(first_line("one\ntwo", 20), "one…");
        assert_eq!(first_line("ümlaut", 1), "…");
        assert!(cut(&"x".repeat(100), 10).starts_with("xxxxxxxxxx… (100 B"));
    }
}
