use std::time::Duration;

use super::Panel;
use crate::cli::{
    output::span,
    sla::{millis, percent},
    top::{
        columns::{Cell, Column, Row, Tone},
        snapshot::Snapshot,
    },
};
use clawpool_engine::client::figures::{ClassSlaView, KeptView};

/// Of the last hour; the budget is that of 30 days.
pub(super) const PANEL: Panel = Panel {
    name: "classes",
    columns: &[
        Column::text("CLASS"),
        Column::number("PROMISE"),
        Column::number("STARTS"),
        Column::number("LATE"),
        Column::number("KEPT"),
        Column::number("P50"),
        Column::number("P95"),
        Column::number("P99"),
        Column::number("BURN"),
        Column::number("BUDGET LEFT"),
        Column::number("OBJECTIVE").wide(),
    ],
    rows,
    orders: &[],
};

fn rows(snapshot: &Snapshot) -> Vec<Row> {
    snapshot.classes.iter().map(row).collect()
}

#[allow(clippy::cast_precision_loss)]
fn row(class: &ClassSlaView) -> Row {
    let hour = class.spans.get("1h").filter(|hour| hour.kept.is_some());
    let month = class.spans.get("30d").filter(|month| month.kept.is_some());
    let of_hour = |figure: fn(&KeptView) -> Option<Cell>| hour.and_then(figure).unwrap_or_else(Cell::unknown);
    Row {
        key: class.priority.to_string(),
        tone: hour.map_or(Tone::Quiet, |hour| tone(hour, class.objective)),
        cells: vec![
            Cell::text(class.priority.to_string()),
            Cell::number(class.promise_ms as f64, span(Duration::from_millis(class.promise_ms))),
            of_hour(|hour| Some(Cell::count(hour.starts))),
            of_hour(|hour| Some(Cell::count(hour.late))),
            of_hour(|hour| hour.kept.map(share)),
            of_hour(|hour| hour.wait.p50_ms.map(wait)),
            of_hour(|hour| hour.wait.p95_ms.map(wait)),
            of_hour(|hour| hour.wait.p99_ms.map(wait)),
            of_hour(|hour| Some(Cell::number(hour.burn_rate, format!("{:.2}", hour.burn_rate)))),
            month.map_or_else(Cell::unknown, |month| share(month.budget_left)),
            share(class.objective),
        ],
    }
}

fn tone(hour: &KeptView, objective: f64) -> Tone {
    match hour.kept {
        Some(kept) if kept < objective => Tone::Bad,
        Some(_) if hour.burn_rate > 0.5 => Tone::Warning,
        _ => Tone::Usual,
    }
}

fn share(share: f64) -> Cell {
    Cell::number(share, percent(share))
}

fn wait(wait: f64) -> Cell {
    Cell::number(wait, millis(wait))
}
