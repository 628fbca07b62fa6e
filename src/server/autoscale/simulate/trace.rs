use std::{fs, io, path::Path, time::Duration};

/// Recorded load: requests per interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The middle of each interval, in seconds after the start of the first, and its arrivals a second.
    points: Vec<(f64, f64)>,
    interval: f64,
    length: f64,
}

/// Where rows are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gaps {
    pub count: usize,
    pub longest: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error("the trace {path} cannot be read: {source}")]
    Unreadable { path: String, source: io::Error },
    #[error(
        "line {line} of the trace is {text:?}: {rule}; write timestamp,value such as 2026-01-31 09:00:00,42"
    )]
    Line { line: usize, text: String, rule: &'static str },
    #[error("the trace has {0} rows; it needs two or more")]
    Short(usize),
}

impl Trace {
    pub fn read(path: &Path) -> Result<Self, TraceError> {
        let unreadable = |source| TraceError::Unreadable { path: path.display().to_string(), source };
        Self::parse(&fs::read_to_string(path).map_err(unreadable)?)
    }

    /// Rows of a time (or a number of seconds) and a count; the first line may be a header, which is words
    /// alone. The interval is the median distance of two rows.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let mut rows: Vec<(f64, f64)> = Vec::new();
        let text = text.trim_start_matches('\u{feff}');
        let lines = text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty());
        for (place, (index, text)) in lines.enumerate() {
            let problem = |rule| TraceError::Line { line: index + 1, text: text.to_owned(), rule };
            let (time, value) = text.split_once(',').ok_or_else(|| problem("it has no comma"))?;
            let (Some(time), Ok(value)) = (seconds(time.trim()), value.trim().parse::<f64>()) else {
                if place == 0 && is_header(text) {
                    continue;
                }
                return Err(problem("it is not a time and a number"));
            };
            if !value.is_finite() || value < 0.0 {
                return Err(problem("a count is zero or more"));
            }
            if rows.last().is_some_and(|(last, _)| time <= *last) {
                return Err(problem("it is not later than the line before"));
            }
            rows.push((time, value));
        }
        Self::from_rows(&rows)
    }

    fn from_rows(rows: &[(f64, f64)]) -> Result<Self, TraceError> {
        let (Some((first, _)), Some((last, _)), 2..) = (rows.first(), rows.last(), rows.len()) else {
            return Err(TraceError::Short(rows.len()));
        };
        let mut distances: Vec<_> = rows.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        distances.sort_by(f64::total_cmp);
        let interval = distances[distances.len() / 2];
        let points =
            rows.iter().map(|(time, count)| (time - first + interval / 2.0, count / interval)).collect();
        Ok(Self { points, interval, length: last - first + interval })
    }

    /// Rows that are further apart than one and a half intervals. What came in between is unknown: the load
    /// is taken to go straight from the last known rate to the next, neither nothing nor a peak.
    pub fn gaps(&self) -> Option<Gaps> {
        let distances = self.points.windows(2).map(|pair| pair[1].0 - pair[0].0);
        let gaps: Vec<f64> = distances.filter(|distance| *distance > 1.5 * self.interval).collect();
        let longest = gaps.iter().copied().max_by(f64::total_cmp)? - self.interval;
        Some(Gaps { count: gaps.len(), longest: Duration::from_secs_f64(longest) })
    }

    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.length)
    }

    /// Arrivals a second at each tick, `scale` times as many as recorded. Load does not jump at the edge of
    /// an interval, so it goes straight from one interval's middle to the next.
    pub fn rates(&self, tick: Duration, scale: f64) -> impl Iterator<Item = f64> {
        let tick = tick.as_secs_f64();
        let mut right = 0;
        (0..(self.length / tick) as usize).map(move |index| {
            let time = index as f64 * tick;
            while right < self.points.len() && self.points[right].0 < time {
                right += 1;
            }
            scale * self.between(right, time)
        })
    }

    fn between(&self, right: usize, time: f64) -> f64 {
        match (right.checked_sub(1).and_then(|left| self.points.get(left)), self.points.get(right)) {
            (Some((from, low)), Some((to, high))) => low + (high - low) * (time - from) / (to - from),
            (Some((_, rate)), None) | (None, Some((_, rate))) => *rate,
            (None, None) => 0.0,
        }
    }
}

/// A field that begins like a number or a date is data with a mistake in it, never the name of a column.
fn is_header(text: &str) -> bool {
    let is_name = |field: &str| field.trim_start_matches([' ', '"', '#']).starts_with(char::is_alphabetic);
    text.split(',').all(|field| is_name(field) && field.trim().parse::<f64>().is_err())
}

fn seconds(text: &str) -> Option<f64> {
    if let Ok(number) = text.parse::<f64>() {
        return number.is_finite().then_some(number);
    }
    let time = text.trim_end_matches('Z').parse::<jiff::civil::DateTime>().ok()?;
    let since = time.duration_since(jiff::civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    Some(since.as_secs_f64())
}
