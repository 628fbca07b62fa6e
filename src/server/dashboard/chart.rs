//! Lines over time, drawn by the server: their points as a path, everything else as text beside it.
//!
//! Guarantees: where nothing was measured there is no line; a chart says in words what it shows. Never does:
//! choose a colour; that is the style sheet's.

use std::fmt::Write;

use clawpool_core::task::Timestamp;

use super::words::When;

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;
/// So that a line at the top is not cut in half.
const MARGIN: f64 = 2.0;

/// As a template draws it.
pub(super) struct Chart {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) lines: Vec<Line>,
    pub(super) marks: Vec<Mark>,
    /// At the top, in the middle.
    pub(super) top: String,
    pub(super) middle: String,
    pub(super) from: When,
    pub(super) to: When,
    pub(super) is_empty: bool,
}

pub(super) struct Line {
    pub(super) name: &'static str,
    /// Its colour, by the style sheet.
    pub(super) class: &'static str,
    pub(super) path: String,
    pub(super) latest: String,
    pub(super) highest: String,
}

/// Something that happened at a moment.
pub(super) struct Mark {
    pub(super) at: String,
    pub(super) text: String,
}

/// What is drawn: a value for each window, absent where there is none.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    pub(super) values: Vec<Option<f64>>,
}

/// How values are written.
type Unit = fn(f64) -> String;

impl Chart {
    pub(super) fn new(
        (name, title): (&'static str, &'static str),
        times: (Timestamp, Timestamp),
        series: &[Series],
        unit: Unit,
    ) -> Self {
        let values = || series.iter().flat_map(|series| &series.values).flatten().copied();
        let top = nice(values().fold(0.0, f64::max));
        let is_empty = values().next().is_none();
        let lines = series.iter().map(|series| line(series, top, unit)).collect();
        let (from, to) = (When(times.0), When(times.1));
        Self {
            name,
            title,
            lines,
            marks: Vec::new(),
            top: unit(top),
            middle: unit(top / 2.0),
            from,
            to,
            is_empty,
        }
    }

    /// Marks what happened within its time.
    #[must_use]
    pub(super) fn with_marks(mut self, marks: impl IntoIterator<Item = (Timestamp, String)>) -> Self {
        let (from, to) = (self.from.0.as_millis() as f64, self.to.0.as_millis() as f64);
        for (at, text) in marks {
            let share = (at.as_millis() as f64 - from) / (to - from).max(1.0);
            if (0.0..=1.0).contains(&share) {
                self.marks.push(Mark { at: format!("{:.1}", share * WIDTH), text });
            }
        }
        self
    }
}

fn line(series: &Series, top: f64, unit: Unit) -> Line {
    let Series { name, class, values } = series;
    let step = WIDTH / (values.len().saturating_sub(1).max(1)) as f64;
    let mut path = String::new();
    let mut pen_is_down = false;
    for (at, value) in values.iter().enumerate() {
        let Some(value) = value else {
            pen_is_down = false;
            continue;
        };
        let (x, y) = (at as f64 * step, HEIGHT - MARGIN - value / top * (HEIGHT - 2.0 * MARGIN));
        let verb = if pen_is_down { 'L' } else { 'M' };
        // A text takes everything.
        let _ = write!(path, "{verb}{x:.1} {y:.1}");
        if !pen_is_down {
            // A single point is seen as well.
            let _ = write!(path, "h0.1");
        }
        pen_is_down = true;
    }
    let known = || values.iter().flatten().copied();
    let written = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), unit);
    Line {
        name,
        class,
        path,
        latest: written(known().next_back()),
        highest: written(known().reduce(f64::max)),
    }
}

/// The next number with one digit that people count in.
fn nice(most: f64) -> f64 {
    if most <= 0.0 || !most.is_finite() {
        return 1.0;
    }
    let unit = 10_f64.powf(most.log10().floor());
    let steps = [1.0, 2.0, 3.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * unit).find(|step| *step >= most).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::words::short;

    fn chart(values: Vec<Option<f64>>) -> Chart {
        let times = (Timestamp::from_millis(0), Timestamp::from_millis(1_000));
        Chart::new(("a", "A"), times, &[Series { name: "a", class: "a", values }], short)
    }

    #[test]
    fn a_gap_is_no_line_and_the_top_is_a_number_that_people_count_in() {
        let drawn = chart(vec![Some(0.0), Some(17.0), None, Some(8.5)]);
        assert_eq!((&*drawn.top, &*drawn.lines[0].latest, &*drawn.lines[0].highest), ("20.0", "8.5", "17.0"));
        assert_eq!(drawn.lines[0].path.matches('M').count(), 2, "{}", drawn.lines[0].path);
        assert!(!drawn.is_empty);
        let empty = chart(vec![None, None]);
        assert!(empty.is_empty && empty.lines[0].path.is_empty() && empty.lines[0].latest == "–");
    }

    #[test]
    fn marks_outside_of_the_time_are_left_out() {
        let at = |millis| (Timestamp::from_millis(millis), "scaled".to_owned());
        let drawn = chart(vec![Some(1.0)]).with_marks([at(0), at(500), at(1_001)]);
        let places: Vec<&str> = drawn.marks.iter().map(|mark| &*mark.at).collect();
        assert_eq!(places, ["0.0", "300.0"]);
    }
}
