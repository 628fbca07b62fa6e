use std::ops::ControlFlow;

use async_trait::async_trait;
use rusqlite::{
    Connection, Row, ToSql, params,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use super::{control, forget, lease_end, orders, processes, records, tally};
use crate::{
    backend::{
        StoredItem,
        sqlite::{Sifted, Write, readable, sift},
    },
    store::{Beat, Orders, Question, StoreError, WorkerInfo, WorkerStore, stored_beat},
};
use clawpool_core::task::{ProcessId, TaskId, Timestamp};

#[async_trait]
impl WorkerStore for super::SqliteStore {
    async fn beat(&self, beat: &Beat) -> Result<Orders, StoreError> {
        let rules = self.rules;
        let beat = beat.clone();
        let work = move |write: &mut Write<'_>| {
            forget::step(write, &rules)?;
            take(write, beat)
        };
        Ok(self.database.write(work).await?)
    }

    async fn workers(&self) -> Result<Vec<WorkerInfo>, StoreError> {
        self.read_around(StoredItem::Heartbeat, list).await
    }

    async fn connected(&self, workers: &[ProcessId]) -> Result<Option<Vec<ProcessId>>, StoreError> {
        let beats = self.workers().await?.into_iter().map(|info| info.beat);
        let asked = beats.filter(|beat| workers.contains(&beat.worker)).collect();
        Ok(processes::living(asked).await)
    }

    async fn drain(&self, worker: ProcessId) -> Result<bool, StoreError> {
        let update = "UPDATE workers SET drain = 1 WHERE id = ?1";
        let work = move |write: &mut Write<'_>| Ok(write.sql.prepare_cached(update)?.execute([worker])? == 1);
        Ok(self.database.write(work).await?)
    }

    async fn end_lease(
        &self,
        worker: ProcessId,
        polled: Option<&[TaskId]>,
    ) -> Result<Vec<TaskId>, StoreError> {
        let rules = self.rules;
        let polled = polled.map(<[_]>::to_vec);
        let work = move |write: &mut Write<'_>| {
            write
                .sql
                .prepare_cached("UPDATE workers SET lease_until = 0 WHERE id = ?1")?
                .execute([worker])?;
            lease_end::free_tasks(write, &rules, worker, polled.as_deref())?;
            lease_end::ran(write, worker)
        };
        Ok(self.database.write(work).await?)
    }

    async fn ask(&self, questions: &[Question]) -> Result<(), StoreError> {
        let questions = questions.to_vec();
        Ok(self.database.write(move |write| orders::ask(write, &questions)).await?)
    }

    async fn forget(&self, worker: ProcessId) -> Result<(), StoreError> {
        let work = move |write: &mut Write<'_>| {
            orders::forget(write, worker)?;
            write.sql.prepare_cached("DELETE FROM workers WHERE id = ?1")?.execute([worker]).map(drop)
        };
        Ok(self.database.write(work).await?)
    }
}

fn take(write: &Write<'_>, mut beat: Beat) -> rusqlite::Result<Orders> {
    let upsert = "INSERT INTO workers (id, beat, beats, last_beat, lease_until) VALUES (?1, ?2, 1, ?3, ?4)
                  ON CONFLICT (id) DO UPDATE SET beat = excluded.beat, beats = beats + 1,
                  last_beat = excluded.last_beat, lease_until = excluded.lease_until RETURNING drain";
    records::progress(write.sql, beat.worker, &std::mem::take(&mut beat.progress))?;
    let parameters = params![beat.worker, &beat, write.now, write.now + beat.lease];
    let drain = write.sql.prepare_cached(upsert)?.query_row(parameters, |row| row.get(0))?;
    let paused = control::paused(write.sql)?;
    let queues = tally::queues(write.sql)?;
    let mut orders = Orders { drain, paused, queues, ..Orders::default() };
    orders::collect(write, beat.worker, &mut orders)?;
    Ok(orders)
}

fn list(sql: &Connection) -> rusqlite::Result<Sifted<Vec<WorkerInfo>>> {
    let query = "SELECT id, beat, beats, last_beat, lease_until > ?1 AS alive FROM workers ORDER BY id";
    let mut query = sql.prepare_cached(query)?;
    let rows = query.query_map([Timestamp::now()], |row| {
        Ok(match readable(row, "id", info)? {
            // Its next beat makes it readable.
            ControlFlow::Break(_) if row.get("alive")? => ControlFlow::Continue(None),
            info => info.map_continue(Some),
        })
    })?;
    Ok(sift(rows)?.map_continue(|workers| workers.into_iter().flatten().collect()))
}

fn info(row: &Row<'_>) -> rusqlite::Result<WorkerInfo> {
    let _: ProcessId = row.get("id")?;
    Ok(WorkerInfo {
        beat: row.get("beat")?,
        beats: row.get("beats")?,
        last_beat: row.get("last_beat")?,
        alive: row.get("alive")?,
    })
}

impl ToSql for Beat {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let packed = stored_beat::pack(self);
        packed.map(Into::into).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    }
}

impl FromSql for Beat {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        stored_beat::unpack(value.as_blob()?).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}
