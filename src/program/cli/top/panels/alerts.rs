use super::Panel;
use crate::cli::{
    output::{age, word},
    top::{
        columns::{Cell, Column, Row, Tone},
        snapshot::Snapshot,
    },
};
use clawpool_engine::{alert::Level, client::view::AlertView};

pub(super) const PANEL: Panel = Panel {
    name: "alerts",
    columns: &[
        Column::number("AGO"),
        Column::text("LEVEL"),
        Column::text("POOL"),
        Column::text("CODE"),
        Column::text("WHAT"),
    ],
    rows,
    orders: &[],
};

fn rows(snapshot: &Snapshot) -> Vec<Row> {
    snapshot.alerts.iter().map(row).collect()
}

#[allow(clippy::cast_precision_loss)]
fn row(alert: &AlertView) -> Row {
    let at = alert.at.as_millis();
    Row {
        key: format!("{at} {} {}", alert.pool, alert.code),
        tone: tone(alert.level),
        cells: vec![
            // The latest is the smallest age.
            Cell::number(-(at as f64), age(alert.at)),
            Cell::text(word(&alert.level)),
            Cell::text(&alert.pool),
            Cell::text(&alert.code),
            Cell::text(&alert.text),
        ],
    }
}

const fn tone(level: Level) -> Tone {
    match level {
        Level::Info => Tone::Quiet,
        Level::Warning => Tone::Warning,
        Level::Error | Level::Critical => Tone::Bad,
    }
}
