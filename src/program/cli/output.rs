use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    time::Duration,
};

use comfy_table::{Table, presets};
use serde::Serialize;

use super::failure::Failure;
use clawpool_core::task::{IdEnd, TaskId, Timestamp};
use clawpool_server::telemetry::{Keep, Lines, steers};

/// Standard output. What handlers, payloads and programs wrote is shown, and does not steer the terminal: a
/// JSON document has escapes in its place, and stays the same document.
pub struct Output {
    json: bool,
}

impl Output {
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    /// The value as JSON when that was asked for, else what `people` makes of it.
    pub fn show<T: Serialize>(&self, value: &T, people: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        if self.json { self.json(value) } else { self.text(&people(value)) }
    }

    pub fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::failed(format!("the answer cannot be written as JSON: {error}")))?;
        self.text(&text)
    }

    pub fn text(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(Keep::Lines.visible(text).as_bytes())?;
        if !text.is_empty() && !text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        Ok(out.flush()?)
    }

    /// For long answers, which come in pieces.
    pub(super) fn pieces(&self) -> Lines<io::Stdout> {
        Lines::new(io::stdout())
    }
}

/// A table without lines, which `awk` and eyes read alike.
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    let visible = |cell: String| Keep::Nothing.visible(&cell).into_owned();
    table.add_rows(rows.into_iter().map(|row| row.map(visible)));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Names and values, one a line; those without a value are left out.
pub fn fields<const N: usize>(fields: [(&str, Option<String>); N]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let known = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
    known.map(|(name, value)| format!("{name:<width$}  {value}\n")).collect()
}

/// What others wrote, on one line, and without what would steer the terminal.
pub fn plain(text: &str, longest: usize) -> String {
    let mut plain: String =
        text.chars().map(|character| if steers(character) { ' ' } else { character }).take(longest).collect();
    if text.chars().nth(longest).is_some() {
        plain.push('…');
    }
    plain
}

/// `3m 20s`: two units are enough to judge by.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{}ms", span.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// The end of an id where people look, which every command takes for it; all of it for programs.
pub fn short(id: TaskId) -> String {
    if io::stdout().is_terminal() { IdEnd::of(id).to_string() } else { id.to_string() }
}

/// How long ago.
pub fn age(time: Timestamp) -> String {
    span(Timestamp::now().since(time))
}

/// A time, and how far from now it is.
pub fn moment(time: Timestamp) -> String {
    let now = Timestamp::now();
    if time > now {
        format!("{time} (in {})", span(time.since(now)))
    } else {
        format!("{time} ({} ago)", span(now.since(time)))
    }
}

/// A value or a dash.
pub fn dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// The name that JSON gives it.
pub fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
