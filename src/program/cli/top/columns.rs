use std::cmp::Ordering;

use crate::cli::output::plain;

/// One column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub title: &'static str,
    /// Numbers stand at the right.
    pub is_number: bool,
    /// Shown where the terminal has room for it.
    pub is_wide: bool,
}

impl Column {
    pub(super) const fn text(title: &'static str) -> Self {
        Self { title, is_number: false, is_wide: false }
    }

    pub(super) const fn number(title: &'static str) -> Self {
        Self { title, is_number: true, is_wide: false }
    }

    pub(super) const fn wide(self) -> Self {
        Self { is_wide: true, ..self }
    }
}

/// How a row is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Usual,
    /// It does nothing now.
    Quiet,
    Warning,
    Bad,
}

/// What is shown, and what it is sorted by.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub text: String,
    order: Option<f64>,
}

/// Of a text, so many characters are shown.
const LONGEST: usize = 200;

impl Cell {
    /// What others wrote: on one line, and without what would steer the terminal.
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self { text: plain(text.as_ref(), LONGEST), order: None }
    }

    /// Sorted by its size, however it is written.
    pub(super) fn number(order: impl Into<f64>, text: impl Into<String>) -> Self {
        Self { text: text.into(), order: Some(order.into()) }
    }

    #[allow(clippy::cast_precision_loss)]
    pub(super) fn count(count: u64) -> Self {
        Self::number(count as f64, count.to_string())
    }

    /// A dash, below every number.
    pub(super) fn unknown() -> Self {
        Self::number(f64::NEG_INFINITY, "-")
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self.order, other.order) {
            (Some(one), Some(other)) => one.total_cmp(&other),
            _ => self.text.cmp(&other.text),
        }
    }
}

/// One thing: a queue, a worker.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// By which it is found again in the next answer, and named in an order.
    pub key: String,
    pub tone: Tone,
    pub cells: Vec<Cell>,
}

impl Row {
    pub(super) fn contains(&self, filter: &str) -> bool {
        let wanted = filter.to_lowercase();
        self.cells.iter().any(|cell| cell.text.to_lowercase().contains(&wanted))
    }
}
