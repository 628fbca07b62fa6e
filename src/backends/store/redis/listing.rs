//! Listing records: first what came lately, the latest first, as the list of what came has it; then the rest,
//! by a walk over all keys.
//!
//! Guarantees: a page looks at [`LOOKED_AT`] records at most, whatever the filter, and reads no more than its
//! limit where all of them match. Never does: leave a task out because it waits for long.

use bytes::Bytes;
use redis::cmd;

use super::{
    RedisStore,
    cursor::{Cursor, Place},
    error::failure,
    record::{key, pattern},
    scripts,
};
use crate::{
    backend::redis::layout::RECENT_STEP,
    store::{ENDS_LOOKED_AT, ENDS_TOLD, LOOKED_AT, Looked, Record, RecordFilter, Seen, StoreError},
};
use clawpool_core::task::{IdEnd, ProcessId, State, TaskId, Timestamp};

/// Keys looked at in one step of the walk.
const STEP: usize = 500;
/// Records read at once: at first as many as are wanted, then twice as many each time.
const BATCH: usize = 1_000;
const ID: usize = 16;

/// The tasks of one step, as the script answers.
type Row = (u64, usize, Bytes);

/// A page as it fills.
struct Filling<'a> {
    filter: &'a RecordFilter,
    limit: usize,
    items: Vec<Seen>,
    left: usize,
    batch: usize,
}

impl Filling<'_> {
    fn is_full(&self) -> bool {
        self.items.len() >= self.limit
    }

    fn is_over(&self) -> bool {
        self.is_full() || self.left == 0
    }

    /// How many are read next.
    fn next_batch(&mut self) -> usize {
        let batch = self.batch.min(self.left).clamp(1, BATCH);
        self.batch = batch * 2;
        batch
    }

    /// Takes a record that matches, with the place after it.
    fn take(&mut self, record: Record, after: &Place) {
        if self.filter.matches(&record) {
            self.items.push(Seen { record, after: after.to_string() });
        }
    }

    fn page(self, next: Option<Place>) -> Looked {
        let looked_at = LOOKED_AT - self.left;
        Looked { items: self.items, next: next.map(|place| place.to_string()), looked_at }
    }
}

impl RedisStore {
    pub(super) async fn list_records(
        &self,
        filter: &RecordFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Looked, StoreError> {
        let place = cursor.map(Place::parse).transpose()?.unwrap_or(Place::Latest);
        let limit = limit.max(1);
        let mut filling = Filling { filter, limit, items: Vec::new(), left: LOOKED_AT, batch: limit };
        let walk = match place {
            Place::Walk(cursor) => cursor,
            place => match self.list_recent(place, &mut filling).await? {
                Some(next) => return Ok(filling.page(Some(next))),
                None => Cursor::default(),
            },
        };
        let next = self.list_others(walk, &mut filling).await?;
        Ok(filling.page(next.map(Place::Walk)))
    }

    /// Returns where it goes on; none when nothing else came lately.
    async fn list_recent(
        &self,
        mut place: Place,
        filling: &mut Filling<'_>,
    ) -> Result<Option<Place>, StoreError> {
        loop {
            let batch = filling.next_batch();
            let rows = self.recent(&place, batch).await?;
            let places = places(&rows);
            let ids: Vec<_> = places.iter().map(|(id, _)| *id).collect();
            let mut records = self.read_records(&ids).await?.into_iter().peekable();
            for (id, after) in &places {
                place = after.clone();
                let record = records.next_if(|record| record.id == *id);
                filling.left = filling.left.saturating_sub(1);
                if let Some(record) = record {
                    filling.take(record, after);
                }
                if filling.is_over() {
                    return Ok(Some(place));
                }
            }
            if places.len() < batch {
                return Ok(None);
            }
        }
    }

    async fn recent(&self, place: &Place, wanted: usize) -> Result<Vec<Row>, StoreError> {
        let mut call = self.call(&scripts::RECENT);
        match place {
            Place::Recent { step, end } => call.arg(*step).arg(*end),
            _ => call.arg("").arg(""),
        };
        call.arg(self.remembered()).arg(wanted);
        self.run(&call).await
    }

    pub(super) async fn ids_ending_in(&self, end: &IdEnd) -> Result<Vec<TaskId>, StoreError> {
        let rows = self.recent(&Place::Latest, ENDS_LOOKED_AT).await?;
        let mut newest = cmd("ZREVRANGE");
        newest.arg(format!("{}:d", self.link.base())).arg(0).arg(ENDS_LOOKED_AT - 1);
        let dead: Vec<Bytes> = self.link.send(&newest).await.map_err(|error| failure(&error))?;
        let dead = dead.iter().filter_map(|id| Some(TaskId::from_bytes(id[..].try_into().ok()?)));
        let came = places(&rows).into_iter().map(|(id, _)| id);
        let mut ids: Vec<_> = came.chain(dead).filter(|id| end.ends(*id)).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut known = Vec::new();
        for id in ids {
            if known.len() < ENDS_TOLD && self.is_known(id).await? {
                known.push(id);
            }
        }
        Ok(known)
    }

    /// Whether there is a record of the task, or a dead letter.
    async fn is_known(&self, id: TaskId) -> Result<bool, StoreError> {
        let mut record = cmd("EXISTS");
        record.arg(key(self.link.base(), id));
        let mut letter = cmd("HEXISTS");
        letter.arg(format!("{}:dm", self.link.base())).arg(id.as_bytes());
        let (record, letter) = tokio::join!(self.link.send(&record), self.link.send(&letter));
        let [record, letter]: [bool; 2] =
            [record.map_err(|error| failure(&error))?, letter.map_err(|error| failure(&error))?];
        Ok(record || letter)
    }

    /// The walk over all keys, for what came before the list of what came begins. Returns where it goes on.
    async fn list_others(
        &self,
        mut at: Cursor,
        filling: &mut Filling<'_>,
    ) -> Result<Option<Cursor>, StoreError> {
        // Clocks differ, and a task may be told twice, but none is left out.
        let kept = self.remembered() - (2 * RECENT_STEP.as_millis() as u64).min(self.remembered());
        let since = Timestamp::from_millis(Timestamp::now().as_millis().saturating_sub(kept));
        loop {
            let (following, ids) = self.scan(&at).await?;
            let known = self.read_records(&ids).await?;
            filling.left = filling.left.saturating_sub(ids.len());
            for record in known.into_iter().filter(|record| record.enqueued_at < since) {
                if filling.is_full() {
                    return Ok(Some(at));
                }
                at.member = record.id.as_bytes().to_vec();
                filling.take(record, &Place::Walk(at.clone()));
            }
            if following == 0 {
                return Ok(None);
            }
            at = Cursor { number: following, member: Vec::new() };
            if filling.left == 0 {
                return Ok(Some(at));
            }
        }
    }

    /// One step of the walk: where the next one begins, and the tasks of this one after the cursor, in order.
    async fn scan(&self, at: &Cursor) -> Result<(u64, Vec<TaskId>), StoreError> {
        let prefix = key(self.link.base(), TaskId::from_bytes([0; ID]));
        let prefix = &prefix[..prefix.len() - ID];
        let mut scan = cmd("SCAN");
        scan.arg(at.number).arg("MATCH").arg(pattern(prefix)).arg("COUNT").arg(STEP);
        let (following, keys): (u64, Vec<Bytes>) =
            self.link.send(&scan).await.map_err(|error| failure(&error))?;
        let id = |key: &Bytes| Some(TaskId::from_bytes(key.strip_prefix(prefix)?.try_into().ok()?));
        let mut ids: Vec<_> =
            keys.iter().filter_map(id).filter(|id| id.as_bytes()[..] > at.member[..]).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok((following, ids))
    }

    /// Those of the ids that are known, in their order.
    async fn read_records(&self, ids: &[TaskId]) -> Result<Vec<Record>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = cmd("MGET");
        for id in ids {
            command.arg(key(self.link.base(), *id));
        }
        let all: Vec<Option<Bytes>> = self.link.send(&command).await.map_err(|error| failure(&error))?;
        let mut records = Vec::with_capacity(ids.len());
        for (id, bytes) in ids.iter().zip(all) {
            if let Some(bytes) = bytes {
                records.extend(self.readable(*id, bytes).await?);
            }
        }
        self.mark_orphans(&mut records).await?;
        Ok(records)
    }

    /// What a dead worker ran is shown as waiting for another one.
    pub(super) async fn mark_orphans(&self, records: &mut [Record]) -> Result<(), StoreError> {
        let mut owners: Vec<ProcessId> = records.iter().filter_map(owner).collect();
        if owners.is_empty() {
            return Ok(());
        }
        owners.sort_unstable();
        owners.dedup();
        let mut call = self.call(&scripts::LIVING);
        for owner in &owners {
            call.arg(owner.as_bytes());
        }
        let living: Vec<bool> = self.run(&call).await?;
        let dead = |record: &Record| owner(record).and_then(|owner| owners.binary_search(&owner).ok());
        for record in records {
            if dead(record).is_some_and(|index| !living[index]) {
                (record.state, record.worker, record.progress) = (State::Queued, None, None);
            }
        }
        Ok(())
    }
}

/// The tasks of these steps, the latest first, each with the place after it.
fn places(rows: &[Row]) -> Vec<(TaskId, Place)> {
    let of_step = |(step, from, ids): &Row| {
        let (step, from) = (*step, *from);
        let tasks = ids.chunks_exact(ID).enumerate().rev();
        tasks
            .filter_map(move |(index, id)| {
                let end = from + index * ID;
                Some((TaskId::from_bytes(id.try_into().ok()?), Place::Recent { step, end }))
            })
            .collect::<Vec<_>>()
    };
    rows.iter().flat_map(of_step).collect()
}

fn owner(record: &Record) -> Option<ProcessId> {
    record.worker.filter(|_| record.state == State::Running)
}
