//! Pools: how large they are, how large they should be, and why.

use askama::Template;
use clawpool_backends::store::Page;
use clawpool_core::{
    config::Scope,
    scaling::{Action, Vote},
};
use clawpool_engine::client::{
    PoolStatus,
    view::{AutoscalerView, ScalingView},
};
use futures::try_join;

use crate::dashboard::{
    form::part,
    layout::Layout,
    register::Shown,
    visit::Visit,
    words::{self, When, quoted},
};

#[derive(Template)]
#[template(path = "pools.html")]
struct Pools {
    layout: Layout,
    all_paused: bool,
    pools: Vec<Pool>,
    decisions: Vec<Decision>,
    may_operate: bool,
}

struct Pool {
    name: String,
    part: String,
    quoted: String,
    at: When,
    current: u32,
    wanted: u32,
    draining: u32,
    min: u32,
    max: u32,
    cause: String,
    paused: bool,
    manual: Option<(u32, When)>,
    trouble: String,
    dry_run: bool,
    votes: Vec<Ballot>,
    limits: String,
    reading: Vec<(&'static str, String)>,
    forecast: String,
    changes: String,
}

/// What one policy asks for.
struct Ballot {
    policy: String,
    reading: String,
    lasting: String,
    wants: String,
}

struct Decision {
    at: When,
    pool: String,
    from: u32,
    to: u32,
    action: String,
    cause: String,
    votes: String,
    limits: String,
    dry_run: bool,
}

pub(crate) async fn show(visit: &Visit) -> Shown {
    let (view, history) = try_join!(
        visit.get::<AutoscalerView>("/v1/autoscaler"),
        visit.get::<Page<ScalingView>>("/v1/autoscaler/history?limit=20"),
    )?;
    let page = Pools {
        layout: visit.layout("Pools"),
        all_paused: view.paused,
        pools: view.items.into_iter().map(pool).collect(),
        decisions: history.items.into_iter().map(decision).collect(),
        may_operate: visit.may(Scope::Operate),
    };
    visit.answer(&page)
}

fn pool(status: PoolStatus) -> Pool {
    let counts = status.counts;
    let forecast = status.forecast.map(|forecast| {
        let peak = forecast.peak.map(|peak| format!(", at most {} a second ahead", words::short(peak)));
        format!(
            "{}, from {} readings{}",
            words::word(&forecast.mode),
            forecast.samples,
            peak.unwrap_or_default()
        )
    });
    Pool {
        part: part(&status.pool),
        quoted: quoted(&status.pool),
        name: status.pool,
        at: When(status.at),
        current: status.current,
        wanted: status.wanted,
        draining: status.draining,
        min: status.min,
        max: status.max,
        cause: words::word(&status.cause),
        paused: status.paused,
        manual: status.manual.map(|manual| (manual.size, When(manual.until))),
        trouble: status.trouble.unwrap_or_default(),
        dry_run: status.dry_run,
        reading: reading(&status.decision.reading),
        votes: status.decision.votes.iter().map(ballot).collect(),
        limits: limits(&status.decision.limits),
        forecast: forecast.unwrap_or_default(),
        changes: format!(
            "{} times larger, {} smaller; {} started, {} sent home, {} replaced",
            counts.grown, counts.shrunk, counts.started, counts.drained, counts.replaced
        ),
    }
}

fn ballot(vote: &Vote) -> Ballot {
    let metric = vote.metric.map(|metric| format!("{} ", words::word(&metric))).unwrap_or_default();
    let reading = vote.reading.map_or_else(|| "not known".to_owned(), words::short);
    Ballot {
        policy: vote.policy.clone(),
        reading: format!("{metric}{reading}"),
        lasting: vote.lasting.map(words::span).unwrap_or_default(),
        wants: vote.wants.map_or_else(|| "nothing".to_owned(), |wants| wants.to_string()),
    }
}

fn limits(limits: &[clawpool_core::scaling::Limit]) -> String {
    limits.iter().map(words::word).collect::<Vec<_>>().join(", ")
}

fn reading(reading: &clawpool_core::scaling::Reading) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(queues) = reading.queues {
        facts.push(("Waiting", words::count(queues.ready)));
        facts.push(("Running", words::count(queues.in_flight)));
        facts.push(("Oldest", words::span(queues.oldest)));
        facts.push(("Arrivals", format!("{} a second", words::short(queues.arrivals))));
        facts.extend(queues.service.map(|service| ("A task runs", words::span(service))));
    }
    if let Some(workers) = reading.workers {
        facts.push(("Slots busy", format!("{:.0} %", workers.busy.mean)));
        facts.push(("Processor", format!("{:.0} %", workers.cpu.mean)));
        facts.push(("Memory", format!("{:.0} %", workers.memory.mean)));
        facts.push(("Well", format!("{} of {}", workers.healthy, workers.started)));
    }
    facts
}

fn decision(view: ScalingView) -> Decision {
    let change = view.change;
    let action = match change.decision.action {
        Action::Hold => "holds".to_owned(),
        Action::Grow { by } => format!("grows by {by}"),
        Action::Shrink { by } => format!("shrinks by {by}"),
        Action::ReplaceAll => "replaces all".to_owned(),
    };
    let votes =
        change.decision.votes.iter().filter_map(|vote| Some(format!("{}: {}", vote.policy, vote.wants?)));
    Decision {
        at: When(view.at),
        pool: view.pool,
        from: change.from,
        to: change.to,
        action,
        cause: words::word(&change.cause),
        votes: votes.collect::<Vec<_>>().join(", "),
        limits: limits(&change.decision.limits),
        dry_run: change.dry_run,
    }
}
