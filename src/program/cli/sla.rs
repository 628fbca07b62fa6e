use std::time::Duration;

use clap::Args;

use super::{
    Globals,
    failure::Failure,
    output::{span, table},
};
use clawpool_engine::client::figures::{ClassSlaView, KeptView, SlaView};

/// How well each class keeps its promise: how soon a task starts
///
/// STARTS to BURN are of the last hour, BUDGET LEFT is of the last 30 days. BURN is how fast the error budget
/// is used up: at 1 it lasts exactly as long as the objective is for, at 15 a month's budget is gone in two
/// days.
#[derive(Debug, Args)]
pub(super) struct Sla {}

impl Sla {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let view: SlaView = globals.client()?.get("v1/sla", &[]).await?;
        globals.output().show(&view, |view| listing(&view.items))
    }
}

pub(super) fn listing(classes: &[ClassSlaView]) -> String {
    let header = [
        "CLASS",
        "PROMISE",
        "OBJECTIVE",
        "STARTS",
        "LATE",
        "KEPT",
        "P50",
        "P95",
        "P99",
        "BURN",
        "BUDGET LEFT",
    ];
    table(header, classes.iter().map(row))
}

fn row(class: &ClassSlaView) -> [String; 11] {
    let hour = class.spans.get("1h");
    let month = class.spans.get("30d");
    let of_hour = |figure: fn(&KeptView) -> Option<String>| hour.and_then(figure).unwrap_or_else(missing);
    [
        class.priority.to_string(),
        span(Duration::from_millis(class.promise_ms)),
        percent(class.objective),
        of_hour(|kept| Some(kept.starts.to_string())),
        of_hour(|kept| Some(kept.late.to_string())),
        of_hour(|kept| kept.kept.map(percent)),
        of_hour(|kept| kept.wait.p50_ms.map(millis)),
        of_hour(|kept| kept.wait.p95_ms.map(millis)),
        of_hour(|kept| kept.wait.p99_ms.map(millis)),
        of_hour(|kept| kept.kept.map(|_| format!("{:.2}", kept.burn_rate))),
        month.filter(|kept| kept.kept.is_some()).map_or_else(missing, |kept| percent(kept.budget_left)),
    ]
}

fn missing() -> String {
    "-".to_owned()
}

/// A share as people write it, with as many digits as tell 99.9 from 99.99.
pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

pub(super) fn millis(millis: f64) -> String {
    match millis {
        short if short < 10.0 => format!("{short:.1} ms"),
        short if short < 10_000.0 => format!("{short:.0} ms"),
        long => format!("{:.0} s", long / 1e3),
    }
}
