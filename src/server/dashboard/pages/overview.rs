//! Is everything well?

use askama::Template;
use clawpool_backends::store::{Page, WorkerInfo};
use clawpool_core::task::Priority;
use clawpool_engine::client::{
    figures::{ClassSlaView, FiguresView, SlaView},
    health::{HealthView, ReasonView, Status},
    view::{AlertView, QueueView, QueuesView, ScalingView},
};
use futures::try_join;

use super::{
    queues,
    span::{SPANS, Span, ended},
};
use crate::dashboard::{
    chart::Chart,
    form::Address,
    layout::Layout,
    register::Shown,
    visit::Visit,
    words::{self, When},
};

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    layout: Layout,
    state: &'static str,
    state_class: &'static str,
    reasons: Vec<Reason>,
    spans: Vec<SpanLink>,
    span: Span,
    tiles: Vec<Tile>,
    charts: Vec<Chart>,
    promises: Vec<Promise>,
    queues: Vec<queues::Line>,
    /// None: the visitor may not see them.
    alerts: Option<Vec<Alert>>,
    decisions: Option<Vec<Decision>>,
}

struct Reason {
    subject: String,
    code: String,
    text: String,
    since: When,
}

pub(crate) struct SpanLink {
    pub(crate) title: &'static str,
    pub(crate) address: String,
    pub(crate) is_chosen: bool,
}

struct Tile {
    name: &'static str,
    value: String,
    note: String,
    class: &'static str,
    link: &'static str,
}

/// How well one class keeps its promise.
struct Promise {
    priority: Priority,
    promise: String,
    objective: String,
    starts: String,
    late: String,
    kept: String,
    class: &'static str,
    /// Of 100, for the bar.
    budget: u32,
    budget_text: String,
    p99: String,
}

struct Alert {
    at: When,
    level: String,
    pool: String,
    text: String,
    fix: String,
    code: String,
}

struct Decision {
    at: When,
    pool: String,
    from: u32,
    to: u32,
    cause: String,
}

/// So many of the latest are shown.
const LATEST: usize = 6;

pub(crate) async fn show(visit: &Visit) -> Shown {
    let span = Span::asked(&visit.query);
    let oversees = visit.oversees();
    let figures = format!("/v1/figures?{}", span.query());
    let alerts = format!("/v1/alerts?limit={LATEST}&since={}", span.from().as_millis());
    let (health, all, workers, sla, figures, alerts, decisions) = try_join!(
        visit.health(),
        visit.get::<QueuesView>("/v1/queues"),
        visit.get_if::<Page<WorkerInfo>>(oversees, "/v1/workers"),
        visit.get_if::<SlaView>(visit.oversees_queues(), "/v1/sla"),
        visit.get_if::<FiguresView>(visit.oversees_queues(), &figures),
        visit.get_if::<Page<AlertView>>(oversees, &alerts),
        visit.get_if::<Page<ScalingView>>(visit.oversees_queues(), "/v1/autoscaler/history?limit=50"),
    )?;
    let workers = workers.map(|page| page.items);
    let alerts = alerts.map(|page| page.items);
    let decisions = decisions.map(|page| page.items);
    let promised = |view: &QueueView| {
        let class = sla.iter().flat_map(|sla| &sla.items).find(|class| class.priority == view.priority);
        class.map(|class| class.promise_ms)
    };
    let mut tiles = load(&all.items, &promised);
    tiles.extend(figures.as_ref().map(|figures| outcomes(figures, &span)).unwrap_or_default());
    tiles.extend(workers.as_deref().map(crew));
    let state = health.status;
    let page = Overview {
        layout: visit.layout("Overview"),
        state: state_word(state),
        state_class: state_class(state),
        reasons: reasons(health),
        spans: span_links("/", &span),
        tiles,
        charts: charts(&span, figures.as_ref(), decisions.as_deref()),
        promises: sla.iter().flat_map(|sla| &sla.items).filter_map(|class| promise(class, &span)).collect(),
        queues: all.items.iter().map(|view| queues::line(view, promised(view))).collect(),
        alerts: alerts.map(|alerts| alerts.into_iter().map(alert).collect()),
        decisions: decisions.map(|made| made.into_iter().take(LATEST).map(decision).collect()),
        span,
    };
    visit.answer(&page)
}

const fn state_word(status: Status) -> &'static str {
    match status {
        Status::Healthy => "Healthy",
        Status::Degraded => "Degraded",
        Status::Unhealthy => "Unhealthy",
        Status::Starting => "Starting",
    }
}

const fn state_class(status: Status) -> &'static str {
    match status {
        Status::Healthy => "good",
        Status::Degraded | Status::Starting => "warn",
        Status::Unhealthy => "bad",
    }
}

fn reasons(health: HealthView) -> Vec<Reason> {
    let reason = |reason: ReasonView| Reason {
        subject: reason.subject,
        text: reason.text.unwrap_or_else(|| words::word(&reason.event)),
        code: reason.code,
        since: When(reason.since),
    };
    health.reasons.into_iter().map(reason).collect()
}

pub(crate) fn span_links(path: &str, chosen: &Span) -> Vec<SpanLink> {
    let link = |span: Span| SpanLink {
        title: span.title,
        address: Address::new(path).with("span", Some(span.name)).text(),
        is_chosen: span.name == chosen.name,
    };
    SPANS.into_iter().map(link).collect()
}

fn load(queues: &[QueueView], promised: &dyn Fn(&QueueView) -> Option<u64>) -> Vec<Tile> {
    let known: Option<u64> = queues.iter().map(|view| view.ready).sum();
    let waiting = known.map_or_else(|| "?".to_owned(), words::count);
    let paused = queues.iter().filter(|view| view.paused).count();
    let running: u64 = queues.iter().map(|view| view.in_flight).sum();
    let oldest =
        queues.iter().filter_map(|view| Some((view.oldest_age_ms?, view))).max_by_key(|(age, _)| *age);
    let overdue = queues.iter().any(|view| is_overdue(view, promised(view)));
    let note = match oldest {
        Some((_, view)) => format!("on {}", view.queue.name()),
        None => "nothing waits".to_owned(),
    };
    let paused = match paused {
        0 => format!("on {} queues", queues.len()),
        paused => format!("{paused} of {} queues paused", queues.len()),
    };
    vec![
        Tile { name: "Waiting", value: waiting, note: paused, class: "", link: "/queues" },
        Tile {
            name: "Oldest wait",
            value: oldest.map_or_else(|| "–".to_owned(), |(age, _)| words::millis(age as f64)),
            note,
            class: if overdue { "warn" } else { "" },
            link: "/queues",
        },
        Tile {
            name: "Running",
            value: words::count(running),
            note: "as the workers last said".to_owned(),
            class: "",
            link: "/tasks?state=running",
        },
    ]
}

pub(crate) fn is_overdue(view: &QueueView, promise: Option<u64>) -> bool {
    view.oldest_age_ms.is_some_and(|age| promise.is_some_and(|promise| age > promise))
}

fn outcomes(figures: &FiguresView, span: &Span) -> Vec<Tile> {
    let [completed, retried, dead] = ["completed", "retried", "dead"].map(|name| ended(figures, name));
    let all = (completed + retried + dead).max(1);
    let failed = (retried + dead) as f64 / all as f64;
    vec![
        Tile {
            name: "Completed",
            value: words::count(completed),
            note: format!("in {}", span.title),
            class: "",
            link: "/tasks?state=completed",
        },
        Tile {
            name: "Failing",
            value: words::count(retried + dead),
            note: format!("{} of attempts; {} for good", words::percent(failed), words::count(dead)),
            class: if failed > 0.05 {
                "bad"
            } else if retried + dead > 0 {
                "warn"
            } else {
                ""
            },
            link: "/dead",
        },
    ]
}

fn crew(workers: &[WorkerInfo]) -> Tile {
    let alive: Vec<&WorkerInfo> = workers.iter().filter(|worker| worker.alive).collect();
    let slots: u64 = alive.iter().map(|worker| u64::from(worker.beat.slots)).sum();
    let busy: u64 = alive.iter().flat_map(|worker| &worker.beat.running).copied().map(u64::from).sum();
    let lost = workers.len() - alive.len();
    let lost_text = if lost > 0 { format!("; {lost} silent") } else { String::new() };
    Tile {
        name: "Workers",
        value: alive.len().to_string(),
        note: format!("{} of {} slots busy{lost_text}", words::count(busy), words::count(slots)),
        class: if alive.is_empty() || lost > 0 { "warn" } else { "" },
        link: "/workers",
    }
}

fn charts(span: &Span, figures: Option<&FiguresView>, decisions: Option<&[ScalingView]>) -> Vec<Chart> {
    let Some(figures) = figures else { return Vec::new() };
    let [rates, waits] = span.charts(figures);
    let marks = decisions.unwrap_or_default().iter();
    let marks = marks
        .map(|made| (made.at, format!("{}: {} to {} workers", made.pool, made.change.from, made.change.to)));
    vec![rates.with_marks(marks), waits]
}

fn promise(class: &ClassSlaView, span: &Span) -> Option<Promise> {
    let kept = class.spans.get(span.promise)?;
    let left = kept.budget_left;
    let (state, text) = match kept.kept {
        None => ("", "nothing started".to_owned()),
        Some(_) if left < 0.0 => ("bad", "missed".to_owned()),
        Some(_) => (if left < 0.25 { "warn" } else { "good" }, format!("{} left", words::percent(left))),
    };
    Some(Promise {
        priority: class.priority,
        promise: words::millis(class.promise_ms as f64),
        objective: words::percent(class.objective),
        starts: words::count(kept.starts),
        late: words::count(kept.late),
        kept: kept.kept.map_or_else(|| "–".to_owned(), words::percent),
        class: state,
        budget: if kept.kept.is_some() { (left.clamp(0.0, 1.0) * 100.0) as u32 } else { 0 },
        budget_text: text,
        p99: kept.wait.p99_ms.map_or_else(|| "–".to_owned(), words::millis),
    })
}

fn alert(view: AlertView) -> Alert {
    Alert {
        at: When(view.at),
        level: words::word(&view.level),
        pool: view.pool,
        text: view.text,
        fix: view.fix,
        code: view.code,
    }
}

fn decision(view: ScalingView) -> Decision {
    Decision {
        at: When(view.at),
        pool: view.pool,
        from: view.change.from,
        to: view.change.to,
        cause: words::word(&view.change.cause),
    }
}
