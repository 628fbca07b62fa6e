//! The tables of `top`. A part that is to be seen there adds one line to [`PANELS`].

mod alerts;
mod classes;
mod pools;
mod queues;
mod workers;

use super::{
    columns::{Column, Row},
    orders::Order,
    snapshot::Snapshot,
};

/// One table: what it is made of, and what may be done to a row of it.
pub(super) struct Panel {
    pub name: &'static str,
    pub columns: &'static [Column],
    pub rows: fn(&Snapshot) -> Vec<Row>,
    pub orders: &'static [Order],
}

/// In the order of the keys 1, 2, 3…
pub(super) static PANELS: [Panel; 5] =
    [queues::PANEL, workers::PANEL, pools::PANEL, classes::PANEL, alerts::PANEL];

/// The place of the one with this name.
pub(super) fn named(name: &str) -> Result<usize, String> {
    let names = || PANELS.iter().map(|panel| panel.name);
    names().position(|known| known == name).ok_or_else(|| names().collect::<Vec<_>>().join(", "))
}
