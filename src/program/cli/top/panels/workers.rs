use bytesize::ByteSize;

use super::Panel;
use crate::cli::{
    output::{age, span},
    top::{
        columns::{Cell, Column, Row, Tone},
        orders::DRAIN_WORKER,
        snapshot::Snapshot,
    },
    workers::state,
};
use clawpool_backends::store::WorkerInfo;
use clawpool_core::task::Timestamp;

pub(super) const PANEL: Panel = Panel {
    name: "workers",
    columns: &[
        Column::text("WORKER"),
        Column::text("STATE"),
        Column::text("POOL"),
        Column::number("RUNNING"),
        Column::number("SLOTS"),
        Column::number("CPU"),
        Column::number("MEMORY"),
        Column::number("UP"),
        Column::text("HOST").wide(),
        Column::number("PID").wide(),
        Column::text("VERSION").wide(),
        Column::number("BEAT AGO").wide(),
        Column::text("QUEUES").wide(),
    ],
    rows,
    orders: &[DRAIN_WORKER],
};

fn rows(snapshot: &Snapshot) -> Vec<Row> {
    snapshot.workers.iter().map(row).collect()
}

fn row(worker: &WorkerInfo) -> Row {
    let beat = &worker.beat;
    let id = beat.worker.to_string();
    let queues: Vec<_> = beat.queues.iter().map(|queue| queue.name()).collect();
    let up = Timestamp::now().since(beat.started_at);
    let silence = Timestamp::now().since(worker.last_beat);
    Row {
        key: id.clone(),
        tone: tone(worker),
        cells: vec![
            Cell::text(&id[id.len() - SHOWN..]),
            Cell::text(state(worker)),
            Cell::text(&beat.pool),
            Cell::count(beat.running.iter().map(|count| u64::from(*count)).sum()),
            Cell::count(beat.slots.into()),
            beat.usage.map_or_else(Cell::unknown, |usage| cpu(usage.cpu)),
            beat.usage.map_or_else(Cell::unknown, |usage| memory(usage.memory)),
            Cell::number(up.as_secs_f64(), span(up)),
            Cell::text(&beat.host),
            Cell::count(beat.pid.into()),
            Cell::text(beat.version.as_deref().unwrap_or("-")),
            Cell::number(silence.as_secs_f64(), age(worker.last_beat)),
            Cell::text(queues.join(",")),
        ],
    }
}

/// Of a worker's id: its end, for ids of one time begin alike.
const SHOWN: usize = 8;

fn cpu(percent: f32) -> Cell {
    Cell::number(percent, format!("{percent:.0} %"))
}

#[allow(clippy::cast_precision_loss)]
fn memory(bytes: u64) -> Cell {
    Cell::number(bytes as f64, ByteSize(bytes).to_string())
}

const fn tone(worker: &WorkerInfo) -> Tone {
    match (worker.alive, worker.beat.draining) {
        (false, _) => Tone::Bad,
        (true, true) => Tone::Warning,
        (true, false) => Tone::Usual,
    }
}
