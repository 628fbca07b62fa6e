use std::time::Duration;

use super::Panel;
use crate::cli::{
    output::span,
    top::{
        columns::{Cell, Column, Row, Tone},
        orders::{PAUSE_QUEUE, RESUME_QUEUE},
        snapshot::Snapshot,
    },
};
use clawpool_engine::client::view::QueueView;

pub(super) const PANEL: Panel = Panel {
    name: "queues",
    columns: &[
        Column::text("QUEUE"),
        Column::text("STATE"),
        Column::number("WAITING"),
        Column::number("RUNNING"),
        Column::number("OLDEST"),
        Column::number("IN/s"),
        Column::number("OUT/s"),
        Column::number("DEAD"),
        Column::number("WORKERS"),
        Column::number("COMPLETED").wide(),
        Column::number("RETRIED").wide(),
        Column::number("CANCELLED").wide(),
        Column::number("LIMIT").wide(),
        Column::text("NO HANDLER FOR").wide(),
    ],
    rows,
    orders: &[PAUSE_QUEUE, RESUME_QUEUE],
};

fn rows(snapshot: &Snapshot) -> Vec<Row> {
    snapshot.queues.iter().map(row).collect()
}

#[allow(clippy::cast_precision_loss)]
fn row(queue: &QueueView) -> Row {
    let totals = &queue.totals;
    let age = |millis: u64| Cell::number(millis as f64, span(Duration::from_millis(millis)));
    let rate = |rate: f64| Cell::number(rate, format!("{rate:.1}"));
    let (state, tone) = state(queue);
    Row {
        key: queue.queue.to_string(),
        tone,
        cells: vec![
            Cell::text(queue.queue.to_string()),
            Cell::text(state),
            queue.ready.map_or_else(Cell::unknown, Cell::count),
            Cell::count(queue.in_flight),
            queue.oldest_age_ms.map_or_else(Cell::unknown, age),
            rate(totals.enqueue_rate),
            rate(totals.finish_rate),
            Cell::count(totals.dead),
            Cell::count(queue.workers),
            Cell::count(totals.completed),
            Cell::count(totals.retried),
            Cell::count(totals.cancelled),
            Cell::count(queue.limit),
            Cell::text(queue.unhandled.join(", ")),
        ],
    }
}

fn state(queue: &QueueView) -> (&'static str, Tone) {
    let waits = queue.ready.is_some_and(|ready| ready > 0);
    match queue {
        QueueView { error: Some(_), .. } => ("unknown", Tone::Bad),
        QueueView { closing: true, .. } => ("closing", Tone::Warning),
        QueueView { paused: true, .. } => ("paused", Tone::Warning),
        QueueView { workers: 0, .. } if waits => ("no worker", Tone::Bad),
        QueueView { workers: 0, .. } => ("no worker", Tone::Quiet),
        QueueView { unhandled, .. } if !unhandled.is_empty() => ("no handler", Tone::Bad),
        QueueView { in_flight: 0, .. } if !waits => ("idle", Tone::Quiet),
        _ => ("working", Tone::Usual),
    }
}
