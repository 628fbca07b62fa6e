//! What somebody looks at: which table, how it is sorted and filtered, which row is chosen. Pure: keys and
//! answers of the dispatcher go in, and what is to be drawn or done comes out.

use clawpool_core::task::Timestamp;

use super::{
    columns::Row,
    orders::Wanted,
    panels::{PANELS, Panel},
    snapshot::Snapshot,
};

pub(super) struct Console {
    /// Where the dispatcher is.
    pub url: String,
    pub mode: Mode,
    pub filter: String,
    /// What became of the last order.
    pub said: Option<String>,
    /// Since when there is no new answer, and why.
    pub trouble: Option<(Timestamp, String)>,
    panel: usize,
    places: [Place; PANELS.len()],
}

/// What keys mean.
#[derive(Clone, Debug)]
pub(super) enum Mode {
    Looking,
    /// They are letters of the filter.
    Filtering,
    /// They say yes or no.
    Asking(Wanted),
    Help,
}

/// Where one is in a table.
#[derive(Clone, Debug, Default)]
struct Place {
    /// The row that is chosen, by its key, and where it was seen.
    key: Option<String>,
    index: usize,
    /// None: the order of the answer.
    sort: Option<Sort>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sort {
    pub column: usize,
    pub descending: bool,
}

impl Console {
    pub(super) fn new(url: &str, filter: String) -> Self {
        Self {
            url: url.to_owned(),
            mode: Mode::Looking,
            filter,
            said: None,
            trouble: None,
            panel: 0,
            places: Default::default(),
        }
    }

    /// Takes a new picture, or why there is none: then the last one stays.
    pub(super) fn see(&mut self, answer: Result<Box<Snapshot>, String>, snapshot: &mut Snapshot) {
        match answer {
            Ok(new) => {
                *snapshot = *new;
                self.trouble = None;
            }
            Err(why) => {
                let since = self.trouble.take().map_or(snapshot.at, |(since, _)| since);
                self.trouble = Some((since, why));
            }
        }
    }

    pub(super) const fn chosen_panel(&self) -> usize {
        self.panel
    }

    pub(super) fn panel(&self) -> &'static Panel {
        &PANELS[self.panel]
    }

    /// The table with this number.
    pub(super) fn choose(&mut self, panel: usize) {
        self.panel = panel % PANELS.len();
    }

    pub(super) fn sort(&self) -> Option<Sort> {
        self.places[self.panel].sort
    }

    /// Sorts by the next column: numbers begin with the largest.
    pub(super) fn sort_next(&mut self) {
        let columns = self.panel().columns;
        let next = self.sort().map_or(0, |sort| sort.column + 1);
        let sort = columns.get(next).map(|column| Sort { column: next, descending: column.is_number });
        self.places[self.panel].sort = sort;
    }

    pub(super) fn sort_back(&mut self) {
        if let Some(sort) = &mut self.places[self.panel].sort {
            sort.descending = !sort.descending;
        }
    }

    /// The rows of the table as they are shown.
    pub(super) fn rows(&self, snapshot: &Snapshot) -> Vec<Row> {
        self.rows_of(self.panel, snapshot)
    }

    pub(super) fn rows_of(&self, panel: usize, snapshot: &Snapshot) -> Vec<Row> {
        let mut rows = (PANELS[panel].rows)(snapshot);
        if !self.filter.is_empty() {
            rows.retain(|row| row.contains(&self.filter));
        }
        if let Some(sort) = self.places[panel].sort {
            rows.sort_by(|one, other| {
                let order = one.cells[sort.column].compare(&other.cells[sort.column]);
                if sort.descending { order.reverse() } else { order }
            });
        }
        rows
    }

    /// Where the chosen row is among these: where its key is, or else where it was last.
    pub(super) fn index(&self, rows: &[Row]) -> Option<usize> {
        let place = &self.places[self.panel];
        let found = rows.iter().position(|row| Some(&row.key) == place.key.as_ref());
        let last = rows.len().checked_sub(1)?;
        Some(found.unwrap_or(place.index).min(last))
    }

    /// Chooses a row so many below; above, where that is negative.
    pub(super) fn step(&mut self, by: isize, rows: &[Row]) {
        let Some(index) = self.index(rows) else { return };
        let index = index.saturating_add_signed(by).min(rows.len() - 1);
        let place = &mut self.places[self.panel];
        place.index = index;
        place.key = Some(rows[index].key.clone());
    }

    /// What a key orders for the row that is chosen.
    pub(super) fn wanted(&self, key: char, rows: &[Row]) -> Option<Wanted> {
        let order = self.panel().orders.iter().find(|order| order.key == key)?;
        let row = &rows[self.index(rows)?];
        Some(Wanted { order: *order, key: row.key.clone() })
    }
}
