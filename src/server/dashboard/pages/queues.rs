//! Queues: what waits on each, who serves it; and one of them, with its figures over time.

use askama::Template;
use clawpool_backends::store::{Page, WorkerInfo};
use clawpool_core::config::Scope;
use clawpool_engine::client::{
    figures::{FiguresView, SlaView},
    view::{QueueView, QueuesView},
};
use futures::try_join;

use super::span::{Span, SpanLink, ended, span_links};
use crate::dashboard::{
    chart::Chart,
    form::part,
    layout::Layout,
    refusal::Refusal,
    register::Shown,
    visit::Visit,
    words::{self, quoted},
};

#[derive(Template)]
#[template(path = "queues.html")]
struct Queues {
    layout: Layout,
    queues: Vec<Line>,
    may_operate: bool,
}

#[derive(Template)]
#[template(path = "queue.html")]
struct Queue {
    layout: Layout,
    queue: Line,
    facts: Vec<(&'static str, String)>,
    spans: Vec<SpanLink>,
    charts: Vec<Chart>,
    serving: Option<Vec<Serving>>,
    may_operate: bool,
}

/// One queue.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) part: String,
    pub(crate) quoted: String,
    pub(crate) priority: String,
    pub(crate) lane: String,
    pub(crate) waiting: String,
    /// Of its limit, in a hundred, for the bar.
    pub(crate) full: u32,
    pub(crate) limit: String,
    pub(crate) running: String,
    pub(crate) oldest: String,
    pub(crate) arrivals: String,
    pub(crate) departures: String,
    pub(crate) workers: u64,
    pub(crate) state: &'static str,
    pub(crate) class: &'static str,
    pub(crate) trouble: String,
    pub(crate) paused: bool,
}

/// A worker that takes tasks of it.
struct Serving {
    id: String,
    pool: String,
    host: String,
    running: u32,
    slots: u32,
}

pub(crate) async fn show(visit: &Visit) -> Shown {
    let (queues, sla) = try_join!(
        visit.get::<QueuesView>("/v1/queues"),
        visit.get_if::<SlaView>(visit.oversees_queues(), "/v1/sla"),
    )?;
    let page = Queues {
        layout: visit.layout("Queues"),
        queues: queues.items.iter().map(|view| line(view, promise(view, sla.as_ref()))).collect(),
        may_operate: visit.may(Scope::Operate),
    };
    visit.answer(&page)
}

pub(crate) async fn show_one(visit: &Visit) -> Shown {
    let span = Span::asked(&visit.query);
    let name = visit.named();
    let figures = format!("/v1/figures?{}&queue={}", span.query(), part(name));
    let (queues, sla, figures, workers) = try_join!(
        visit.get::<QueuesView>("/v1/queues"),
        visit.get_if::<SlaView>(visit.oversees_queues(), "/v1/sla"),
        visit.get_if::<FiguresView>(visit.oversees_queues(), &figures),
        visit.get_if::<Page<WorkerInfo>>(visit.oversees(), "/v1/workers"),
    )?;
    let found = queues.items.iter().find(|view| view.queue.name() == name);
    let view = found.ok_or_else(|| Refusal::not_found(format!("No queue is named {name:?}.")))?;
    let page = Queue {
        layout: visit.layout(format!("Queue {name}")),
        queue: line(view, promise(view, sla.as_ref())),
        facts: facts(view, figures.as_ref(), &span),
        spans: span_links(&format!("/queues/{}", part(name)), &span),
        charts: figures.as_ref().map(|figures| Vec::from(span.charts(figures))).unwrap_or_default(),
        serving: workers.map(|page| serving(&page.items, view)),
        may_operate: visit.may(Scope::Operate),
    };
    visit.answer(&page)
}

pub(crate) fn promise(view: &QueueView, sla: Option<&SlaView>) -> Option<u64> {
    sla?.items.iter().find(|class| class.priority == view.priority).map(|class| class.promise_ms)
}

pub(crate) fn is_overdue(view: &QueueView, promise: Option<u64>) -> bool {
    view.oldest_age_ms.is_some_and(|age| promise.is_some_and(|promise| age > promise))
}

pub(crate) fn line(view: &QueueView, promise: Option<u64>) -> Line {
    let (state, class) = state(view, promise);
    let unhandled = match &*view.unhandled {
        [] => String::new(),
        kinds => format!("no worker has a handler for {}", kinds.join(", ")),
    };
    let full = view.ready.unwrap_or_default() as f64 / view.limit.max(1) as f64;
    Line {
        name: view.queue.name().to_owned(),
        part: part(view.queue.name()),
        quoted: quoted(view.queue.name()),
        priority: view.priority.to_string(),
        lane: words::word(&view.lane),
        waiting: view.ready.map_or_else(|| "?".to_owned(), words::count),
        full: (full.clamp(0.0, 1.0) * 100.0).ceil() as u32,
        limit: words::count(view.limit),
        running: words::count(view.in_flight),
        oldest: view.oldest_age_ms.map_or_else(|| "–".to_owned(), |age| words::millis(age as f64)),
        arrivals: words::short(view.totals.enqueue_rate),
        departures: words::short(view.totals.finish_rate),
        workers: view.workers,
        state,
        class,
        trouble: view.error.clone().unwrap_or(unhandled),
        paused: view.paused,
    }
}

fn state(view: &QueueView, promise: Option<u64>) -> (&'static str, &'static str) {
    let waits = view.ready.unwrap_or_default() > 0;
    match view {
        view if view.closing => ("closing", "warn"),
        view if view.paused => ("paused", "warn"),
        view if view.error.is_some() => ("not known", "bad"),
        view if view.workers == 0 && waits => ("nobody serves it", "bad"),
        view if !view.unhandled.is_empty() => ("no handler", "bad"),
        view if is_overdue(view, promise) => ("late", "warn"),
        _ => ("open", ""),
    }
}

fn facts(view: &QueueView, figures: Option<&FiguresView>, span: &Span) -> Vec<(&'static str, String)> {
    let totals = &view.totals;
    let mut facts = vec![
        ("Enqueued in all", words::count(totals.enqueued)),
        ("Completed", words::count(totals.completed)),
        ("Retried", words::count(totals.retried)),
        ("Dead", words::count(totals.dead)),
        ("Cancelled", words::count(totals.cancelled)),
    ];
    if let Some(figures) = figures {
        let late: u64 = figures.items.iter().map(|window| window.late).sum();
        let done = ["completed", "retried", "dead"].map(|name| ended(figures, name));
        let text =
            format!("{} attempts, {} of them late", words::count(done.iter().sum()), words::count(late));
        facts.push((span.title, text));
    }
    facts
}

fn serving(workers: &[WorkerInfo], view: &QueueView) -> Vec<Serving> {
    let serve = workers.iter().filter(|worker| worker.alive && worker.beat.serves(view.queue));
    let row = |worker: &WorkerInfo| Serving {
        id: worker.beat.worker.to_string(),
        pool: worker.beat.pool.clone(),
        host: worker.beat.host.clone(),
        running: worker.beat.running.iter().sum(),
        slots: worker.beat.slots,
    };
    serve.take(super::PAGE).map(row).collect()
}
