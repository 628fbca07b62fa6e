//! The time that figures are of, as the address says: `?span=1h`.

use std::time::Duration;

use clawpool_core::task::Timestamp;
use clawpool_engine::client::figures::{FiguresView, WindowView};

use crate::dashboard::{
    chart::{Chart, Series},
    form::{Address, Form},
    words,
};

/// One of the spans that a page can be of.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    /// In the address.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) title: &'static str,
    seconds: u64,
    /// Of the windows that it is drawn with.
    step: &'static str,
    /// As the API names it among the promises.
    pub(crate) promise: &'static str,
}

const fn span(
    name: &'static str,
    title: &'static str,
    seconds: u64,
    step: &'static str,
    promise: &'static str,
) -> Span {
    Span { name, title, seconds, step, promise }
}

pub(crate) const SPANS: [Span; 4] = [
    span("5m", "5 min", 300, "10s", "5m"),
    span("1h", "1 hour", 3_600, "1m", "1h"),
    span("24h", "24 hours", 86_400, "15m", "1d"),
    span("30d", "30 days", 30 * 86_400, "1d", "30d"),
];

/// For a page with a choice of them.
pub(crate) struct SpanLink {
    pub(crate) title: &'static str,
    pub(crate) address: String,
    pub(crate) is_chosen: bool,
}

pub(crate) fn span_links(path: &str, chosen: &Span) -> Vec<SpanLink> {
    let link = |span: Span| SpanLink {
        title: span.title,
        address: Address::new(path).with("span", Some(span.name)).text(),
        is_chosen: span.name == chosen.name,
    };
    SPANS.into_iter().map(link).collect()
}

impl Span {
    pub(crate) fn asked(query: &Form) -> Self {
        let asked = query.text("span");
        SPANS.into_iter().find(|span| Some(span.name) == asked).unwrap_or(SPANS[1])
    }

    pub(crate) fn from(&self) -> Timestamp {
        Timestamp::ago(Duration::from_secs(self.seconds))
    }

    /// What the API is asked for.
    pub(crate) fn query(&self) -> String {
        format!("step={}&from={}", self.step, self.from().as_millis())
    }

    /// Attempts a second, and how long they waited.
    pub(crate) fn charts(&self, figures: &FiguresView) -> [Chart; 2] {
        let windows = &figures.items;
        let length = figures.step_s.max(1) as f64;
        let now = Timestamp::now();
        // The last window is under way: a rate of it would be too small.
        let seconds = |window: &WindowView| (now.since(window.at).as_secs_f64()).clamp(1.0, length);
        let ended = |name: &'static str| {
            move |window: &WindowView| {
                Some(window.attempts.get(name).copied().unwrap_or_default() as f64 / seconds(window))
            }
        };
        let times = (windows.first().map_or_else(|| self.from(), |window| window.at), now);
        let rates = [
            series("completed", "good", windows, ended("completed")),
            series("retried", "warn", windows, ended("retried")),
            series("dead", "bad", windows, ended("dead")),
        ];
        let waits = [
            series("p50", "first", windows, |window| window.wait.p50_ms),
            series("p95", "second", windows, |window| window.wait.p95_ms),
            series("p99", "third", windows, |window| window.wait.p99_ms),
        ];
        [
            Chart::new(("rates", "Attempts that ended, a second"), times, &rates, words::short),
            Chart::new(("waits", "Wait from ready to start"), times, &waits, words::millis),
        ]
    }
}

fn series(
    name: &'static str,
    class: &'static str,
    windows: &[WindowView],
    value: impl Fn(&WindowView) -> Option<f64>,
) -> Series {
    Series { name, class, values: windows.iter().map(value).collect() }
}

/// Attempts of all windows that ended so.
pub(crate) fn ended(figures: &FiguresView, name: &str) -> u64 {
    figures.items.iter().filter_map(|window| window.attempts.get(name)).sum()
}
