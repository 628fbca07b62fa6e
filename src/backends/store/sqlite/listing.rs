//! Records in the order of time, the latest first.
//!
//! Guarantees: a page goes over the records that it shows and one more, or over as many as a page may look
//! at; it reads the results of those alone that it shows. Never does: sort.
//!
//! Most ids tell their time and so the records lie in order already. The others are in an index of their own,
//! which costs nothing for those. A listing merges the two.

use std::{ops::ControlFlow, time::Duration};

use rusqlite::{Connection, Row, Rows, ToSql, named_params};

use super::{
    records::{self, COLUMNS, ORPHAN, REMEMBERED},
    withdrawal::KNOWN,
};
use crate::{
    backend::sqlite::{Sifted, readable, sift},
    store::{LOOKED_AT, Looked, Record, RecordFilter, Seen, StoreError},
};
use clawpool_core::task::{KindPattern, State, TaskId, Timestamp};

/// A UUID of version 7.
pub(super) const TIMED: &str = "substr(id, 7, 1) BETWEEN x'70' AND x'7f'";
/// Any other id, as the index has it.
pub(super) const OTHER: &str = "substr(id, 7, 1) NOT BETWEEN x'70' AND x'7f'";

/// Of one record in the listing. At one time those whose ids tell it come first.
#[derive(Clone, Copy)]
pub(super) struct Place {
    at: Timestamp,
    id: TaskId,
}

impl Place {
    fn of(id: TaskId, enqueued_at: Timestamp) -> Self {
        Self { at: id.made_at().unwrap_or(enqueued_at), id }
    }

    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        if text.contains(':') {
            let (at, id) = records::cursor(text)?;
            return Ok(Self { at: Timestamp::from_millis(at), id });
        }
        let id = records::id_cursor(text)?;
        let at = id.made_at().ok_or_else(|| StoreError::BadCursor(text.to_owned()))?;
        Ok(Self { at, id })
    }

    fn text(self) -> String {
        match self.id.made_at() {
            Some(_) => self.id.to_string(),
            None => format!("{}:{}", self.at.as_millis(), self.id),
        }
    }

    /// What the ids that tell their time are below, after this place.
    fn timed_below(self) -> Vec<u8> {
        match self.id.made_at() {
            Some(_) => self.id.as_bytes().to_vec(),
            None => time_of_ids(self.at),
        }
    }

    /// What time and id of the others are below.
    fn others_below(self) -> (i64, Vec<u8>) {
        let at = self.at.as_millis().cast_signed();
        match self.id.made_at() {
            Some(_) => (at.saturating_add(1), Vec::new()),
            None => (at, self.id.as_bytes().to_vec()),
        }
    }
}

/// By so much the clock that made an id may be ahead. Ids of other kinds are mostly above that, and are not
/// gone over in search of those that tell their time.
const AHEAD: Duration = Duration::from_secs(30 * 24 * 3600);

/// With which the ids that were made then begin.
fn time_of_ids(at: Timestamp) -> Vec<u8> {
    at.as_millis().to_be_bytes()[2..].to_vec()
}

/// What all ids that tell their time are below.
pub(super) fn newest_below() -> Vec<u8> {
    time_of_ids(Timestamp::now() + AHEAD)
}

/// A page after a place.
pub(super) fn list(
    sql: &Connection,
    filter: &RecordFilter,
    after: Option<Place>,
    limit: usize,
) -> rusqlite::Result<Sifted<Looked>> {
    let chosen = match choose(sql, filter, after, limit)? {
        ControlFlow::Continue(chosen) => chosen,
        ControlFlow::Break(unreadable) => return Ok(ControlFlow::Break(unreadable)),
    };
    let query = format!("SELECT {COLUMNS} FROM tasks WHERE id = :id");
    let mut query = sql.prepare_cached(&query)?;
    let now = Timestamp::now();
    let rows = chosen.ids.iter().map(|id| {
        query.query_row(named_params! { ":id": id, ":now": now }, |row| readable(row, "id", records::record))
    });
    let Chosen { next, looked_at, .. } = chosen;
    let seen = |record: Record| Seen { after: Place::of(record.id, record.enqueued_at).text(), record };
    Ok(sift(rows)?.map_continue(|records| Looked {
        items: records.into_iter().map(seen).collect(),
        next,
        looked_at,
    }))
}

/// The tasks of one page.
struct Chosen {
    ids: Vec<TaskId>,
    next: Option<String>,
    looked_at: usize,
}

/// Every record whose id tells its time, the latest first, and whether it is wanted.
pub(super) fn timed() -> String {
    format!("{} WHERE {TIMED} AND id < :below ORDER BY id DESC", wanted("tasks"))
}

/// The same of the others.
pub(super) fn others() -> String {
    format!(
        "{} WHERE {OTHER} AND (enqueued_at, id) < (:below_at, :below) ORDER BY enqueued_at DESC, id DESC",
        wanted("tasks INDEXED BY tasks_with_other_ids")
    )
}

fn wanted(from: &str) -> String {
    format!(
        "SELECT id, {REMEMBERED} AND {KNOWN}
         AND (:states = 0 OR :states & (1 << iif({ORPHAN}, 1, state)))
         AND (:priority IS NULL OR priority = :priority)
         AND (:queue IS NULL OR ifnull(queue, priority) = :queue)
         AND (:tenant IS NULL OR tenant = :tenant)
         AND (:kind IS NULL OR kind GLOB :kind)
         AND enqueued_at >= :since AND enqueued_at < :until AS wanted, enqueued_at
         FROM {from}"
    )
}

/// Goes over the records without their results, until the page is full and there is one more for the next.
fn choose(
    sql: &Connection,
    filter: &RecordFilter,
    after: Option<Place>,
    limit: usize,
) -> rusqlite::Result<Sifted<Chosen>> {
    let states = mask(&filter.states);
    // Its one special sign is the star, which GLOB reads alike.
    let kind = filter.kind.as_ref().map(KindPattern::as_str);
    let until = filter.until.map_or(i64::MAX, |until| until.as_millis().cast_signed());
    let conditions: [(&str, &dyn ToSql); 8] = [
        (":now", &Timestamp::now()),
        (":states", &states),
        (":priority", &filter.priority),
        (":queue", &filter.queue),
        (":tenant", &filter.tenant),
        (":kind", &kind),
        (":since", &filter.since.unwrap_or_default()),
        (":until", &until),
    ];
    let timed_below = after.map_or_else(newest_below, Place::timed_below);
    let (at, below) = after.map_or_else(|| (i64::MAX, Vec::new()), Place::others_below);
    let (mut timed, mut others) = (sql.prepare_cached(&timed())?, sql.prepare_cached(&others())?);
    let timed = timed.query(&*[&conditions[..], &[(":below", &timed_below)]].concat())?;
    let others = others.query(&*[&conditions[..], &[(":below_at", &at), (":below", &below)]].concat())?;
    let mut merged = Merged { timed: Ahead::of(timed)?, others: Ahead::of(others)? };
    let mut chosen = Chosen { ids: Vec::new(), next: None, looked_at: 0 };
    let mut last: Option<Place> = None;
    while let Some(found) = merged.next()? {
        let found = match found {
            ControlFlow::Continue(found) => found,
            ControlFlow::Break(unreadable) => return Ok(ControlFlow::Break(vec![unreadable])),
        };
        // A page that is full or has looked far enough goes on where there is another record.
        let is_full = found.wanted && chosen.ids.len() == limit;
        if is_full || chosen.looked_at == LOOKED_AT {
            chosen.next = last.map(Place::text);
            break;
        }
        chosen.ids.extend(found.wanted.then_some(found.place.id));
        chosen.looked_at += 1;
        last = Some(found.place);
    }
    Ok(ControlFlow::Continue(chosen))
}

/// A record, or the key of one that cannot be read.
type Found = ControlFlow<rusqlite::types::Value, FoundRecord>;

struct FoundRecord {
    place: Place,
    wanted: bool,
}

fn found(row: &Row<'_>) -> rusqlite::Result<FoundRecord> {
    let wanted: Option<bool> = row.get("wanted")?;
    Ok(FoundRecord {
        place: Place::of(row.get("id")?, row.get("enqueued_at")?),
        wanted: wanted.unwrap_or_default(),
    })
}

/// Rows, of which the next one is known.
struct Ahead<'a> {
    rows: Rows<'a>,
    next: Option<Found>,
}

impl<'a> Ahead<'a> {
    fn of(rows: Rows<'a>) -> rusqlite::Result<Self> {
        let mut ahead = Self { rows, next: None };
        ahead.take()?;
        Ok(ahead)
    }

    /// The one that was known.
    fn take(&mut self) -> rusqlite::Result<Option<Found>> {
        let next = self.rows.next()?.map(|row| readable(row, "id", found)).transpose()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// What cannot be read comes at once.
    fn at(&self) -> Option<Timestamp> {
        self.next.as_ref().map(|next| match next {
            ControlFlow::Continue(found) => found.place.at,
            ControlFlow::Break(_) => Timestamp::from_millis(u64::MAX),
        })
    }
}

struct Merged<'a> {
    timed: Ahead<'a>,
    others: Ahead<'a>,
}

impl Merged<'_> {
    fn next(&mut self) -> rusqlite::Result<Option<Found>> {
        // None is less than any time.
        if self.timed.at() >= self.others.at() { self.timed.take() } else { self.others.take() }
    }
}

/// One bit a state, by its number.
fn mask(states: &[State]) -> u32 {
    let chosen = State::ALL.iter().zip(0..).filter(|(state, _)| states.contains(state));
    chosen.fold(0, |mask, (_, number)| mask | 1 << number)
}
