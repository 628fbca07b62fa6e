//! Is everything well?

use askama::Template;
use clawpool_backends::store::{Page, WorkerInfo};
use clawpool_engine::client::{
    figures::{FiguresView, SlaView},
    health::{HealthView, ReasonView, Status},
    view::{AlertView, QueueView, QueuesView, ScalingView},
};
use futures::try_join;

use super::{
    promises::Promise,
    queues,
    span::{Span, SpanLink, span_links},
    tiles::{self, Tile},
};
use crate::dashboard::{
    chart::Chart,
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
    let promised = |view: &QueueView| queues::promise(view, sla.as_ref());
    let mut tiles = tiles::load(&all.items, &promised);
    tiles.extend(figures.as_ref().map(|figures| tiles::outcomes(figures, &span)).unwrap_or_default());
    tiles.extend(workers.as_deref().map(tiles::crew));
    let state = health.status;
    let page = Overview {
        layout: visit.layout("Overview"),
        state: state_word(state),
        state_class: state_class(state),
        reasons: reasons(health),
        spans: span_links("/", &span),
        tiles,
        charts: charts(&span, figures.as_ref(), decisions.as_deref()),
        promises: sla
            .iter()
            .flat_map(|sla| &sla.items)
            .filter_map(|class| Promise::of(class, &span))
            .collect(),
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

fn charts(span: &Span, figures: Option<&FiguresView>, decisions: Option<&[ScalingView]>) -> Vec<Chart> {
    let Some(figures) = figures else { return Vec::new() };
    let [rates, waits] = span.charts(figures);
    let marks = decisions.unwrap_or_default().iter();
    let marks = marks
        .map(|made| (made.at, format!("{}: {} to {} workers", made.pool, made.change.from, made.change.to)));
    vec![rates.with_marks(marks), waits]
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
