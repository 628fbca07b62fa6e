use super::Panel;
use crate::cli::{
    output::{age, word},
    top::{
        columns::{Cell, Column, Row, Tone},
        orders::{PAUSE_POOL, RESUME_POOL},
        snapshot::Snapshot,
    },
};
use clawpool_engine::client::PoolStatus;

pub(super) const PANEL: Panel = Panel {
    name: "pools",
    columns: &[
        Column::text("POOL"),
        Column::text("STATE"),
        Column::number("CURRENT"),
        Column::number("WANTED"),
        Column::number("DRAINING"),
        Column::text("BOUNDS"),
        Column::text("DECIDED BY"),
        Column::number("GROWN").wide(),
        Column::number("SHRUNK").wide(),
        Column::text("SEEN AGO").wide(),
        Column::text("TROUBLE").wide(),
    ],
    rows,
    orders: &[PAUSE_POOL, RESUME_POOL],
};

fn rows(snapshot: &Snapshot) -> Vec<Row> {
    snapshot.pools.iter().map(row).collect()
}

fn row(pool: &PoolStatus) -> Row {
    let (state, tone) = state(pool);
    Row {
        key: pool.pool.clone(),
        tone,
        cells: vec![
            Cell::text(&pool.pool),
            Cell::text(state),
            Cell::count(pool.current.into()),
            Cell::count(pool.wanted.into()),
            Cell::count(pool.draining.into()),
            Cell::text(format!("{}-{}", pool.min, pool.max)),
            Cell::text(word(&pool.cause)),
            Cell::count(pool.counts.grown),
            Cell::count(pool.counts.shrunk),
            Cell::text(age(pool.at)),
            Cell::text(pool.trouble.as_deref().unwrap_or_default()),
        ],
    }
}

fn state(pool: &PoolStatus) -> (&'static str, Tone) {
    match pool {
        PoolStatus { trouble: Some(_), .. } => ("trouble", Tone::Bad),
        PoolStatus { paused: true, .. } => ("paused", Tone::Warning),
        PoolStatus { manual: Some(_), .. } => ("manual", Tone::Warning),
        PoolStatus { dry_run: true, .. } => ("dry run", Tone::Quiet),
        PoolStatus { current, wanted, .. } if current < wanted => ("growing", Tone::Usual),
        PoolStatus { current, wanted, .. } if current > wanted => ("shrinking", Tone::Usual),
        _ => ("steady", Tone::Usual),
    }
}
