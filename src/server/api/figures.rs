//! The figures of attempts: promises kept, and series.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Json, extract::State};

use super::{Api, caller::Caller, error::ApiError, query::Params};
use crate::series;
use clawpool_core::{
    figures::{Starts, Step, Subject, Summary},
    task::{Priority, Queue, Timestamp},
};
use clawpool_engine::client::figures::{ClassSlaView, FiguresView, KeptView, SlaView, SpansView, WindowView};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The spans that are judged, and what their windows begin with.
const SPANS: [(&str, u64, Step); 4] = [
    ("5m", 5 * MINUTE, Step::TenSeconds),
    ("1h", HOUR, Step::TenSeconds),
    ("1d", DAY, Step::QuarterHour),
    ("30d", 30 * DAY, Step::Day),
];

/// Windows of one answer when the client does not say since when, and at most.
const WINDOWS: u32 = 60;
const MOST_WINDOWS: u64 = 1_000;

pub(super) async fn sla(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<SlaView>, ApiError> {
    caller.oversees_queues()?;
    let now = Timestamp::now();
    let queues = api.producer.queues().all().await?;
    let config = api.config();
    let mut spans = Vec::new();
    for (name, seconds, step) in SPANS {
        let from = step.window(before(now, seconds));
        spans.push((name, seconds, series::summary(&*api.store, from, now).await?));
    }
    let class = |priority| {
        let of_class: Vec<Queue> =
            queues.iter().copied().filter(|queue| queue.priority() == priority).collect();
        let class = config.classes.get(priority);
        let kept = |(name, seconds, summary): &(&str, u64, Summary)| {
            let view = kept(summary, &of_class, class.objective);
            ((*name).to_owned(), KeptView { span_s: *seconds, ..view })
        };
        ClassSlaView {
            priority,
            promise_ms: u64::try_from(class.sla.as_millis()).unwrap_or(u64::MAX),
            objective: class.objective,
            spans: spans.iter().map(kept).collect(),
        }
    };
    Ok(Json(SlaView { items: Priority::ALL.into_iter().map(class).collect() }))
}

fn kept(summary: &Summary, queues: &[Queue], objective: f64) -> KeptView {
    let is_one = |name: &str| queues.iter().any(|queue| queue.name() == name);
    let wait = summary.spans_where(|subject| is_one(&subject.queue)).wait;
    let late = summary.late.iter().filter(|(queue, _)| is_one(queue)).map(|(_, late)| late).sum();
    let starts = Starts { all: wait.count(), late };
    KeptView {
        span_s: 0,
        starts: starts.all,
        late,
        kept: starts.kept(),
        wait: SpansView::from(&wait),
        burn_rate: starts.burn_rate(objective),
        budget_left: starts.budget_left(objective),
    }
}

/// Of all queues and kinds, or of one.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<FiguresView>, ApiError> {
    caller.oversees_queues()?;
    let step = params.value::<Step>("step")?.unwrap_or(Step::Minute);
    let to = params.time("to")?.unwrap_or_else(Timestamp::now);
    let from = params.time("from")?;
    let queue = params.text("queue");
    let kind = params.text("kind");
    params.done()?;
    let length = step.length().as_secs();
    let from = from.unwrap_or_else(|| before(to, length * u64::from(WINDOWS - 1)));
    if to.since(from) > step.length() * MOST_WINDOWS as u32 {
        let message = format!(
            "from and to are more than {MOST_WINDOWS} windows of {step} apart: ask for a shorter time, or \
             for a longer step"
        );
        return Err(ApiError::field("from", message));
    }
    let chosen = Chosen { queue: queue.as_deref(), kind: kind.as_deref() };
    let windows = series::windows(&*api.store, step, from, to).await?;
    let items = windows.iter().map(|(at, summary)| chosen.window(*at, summary)).collect();
    Ok(Json(FiguresView { step: step.to_string(), step_s: length, items }))
}

/// Whose figures are asked for.
struct Chosen<'a> {
    queue: Option<&'a str>,
    kind: Option<&'a str>,
}

impl Chosen<'_> {
    fn has(&self, subject: &Subject) -> bool {
        self.has_queue(&subject.queue) && self.kind.is_none_or(|chosen| chosen == subject.kind)
    }

    fn has_queue(&self, queue: &str) -> bool {
        self.queue.is_none_or(|chosen| chosen == queue)
    }

    fn window(&self, at: Timestamp, summary: &Summary) -> WindowView {
        let mut attempts = BTreeMap::new();
        let mut failures = BTreeMap::new();
        let ours = summary.attempts.iter().filter(|(alike, _)| self.has(&alike.subject));
        for (alike, count) in ours {
            *attempts.entry(alike.end.name().to_owned()).or_default() += count;
            if !alike.class.is_empty() {
                *failures.entry(alike.class.clone()).or_default() += count;
            }
        }
        let spans = summary.spans_where(|subject| self.has(subject));
        let late = summary.late.iter().filter(|(queue, _)| self.has_queue(queue));
        let recovered = summary.recovered.iter().filter(|(subject, _)| self.has(subject));
        WindowView {
            at,
            attempts,
            failures,
            wait: SpansView::from(&spans.wait),
            run: SpansView::from(&spans.run),
            late: late.map(|(_, late)| late).sum(),
            recovered: recovered.map(|(_, count)| count).sum(),
        }
    }
}

fn before(now: Timestamp, seconds: u64) -> Timestamp {
    let span = Duration::from_secs(seconds).as_millis() as u64;
    Timestamp::from_millis(now.as_millis().saturating_sub(span))
}
