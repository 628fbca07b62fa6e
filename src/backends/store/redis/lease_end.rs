//! The end of a dead worker's lease: its share of the blame is written into the record of each task that it
//! ran.

use bytes::{Buf, BufMut, Bytes};

use super::{RedisStore, corrupt, scripts};
use crate::store::StoreError;
use clawpool_core::{
    retry::{self, Member, Suspicion},
    task::{ProcessId, TaskId, Timestamp},
};

/// The worker that died.
#[derive(Clone, Copy)]
pub(crate) enum Dead {
    /// Its supervisor saw it end: its lease ends with it.
    Seen(ProcessId),
    /// The owner of this task, which has been silent for too long.
    OwnerOf(TaskId),
}

/// A task as `scripts/dead_claims.lua` tells it.
struct Row {
    id: TaskId,
    token: u64,
    started: Timestamp,
    suspicion: Suspicion,
    known: bool,
}

const ROW: usize = 41;

impl RedisStore {
    /// Answers all that the worker ran. What changes hands meanwhile stays as it is.
    pub(crate) async fn end_lease_of(
        &self,
        dead: Dead,
        polled: Option<&[TaskId]>,
    ) -> Result<Vec<TaskId>, StoreError> {
        let mut call = self.call(&scripts::DEAD_CLAIMS);
        match dead {
            Dead::Seen(worker) => call.arg(worker.as_bytes()).arg("").arg("1"),
            Dead::OwnerOf(task) => call.arg("").arg(task.as_bytes()).arg("0"),
        };
        let (now, beat, rows): (u64, u64, Bytes) = self.run(&call).await?;
        let rows = self::rows(rows)?;
        let now = Timestamp::from_millis(now);
        let died = retry::died_at(now, Timestamp::from_millis(beat), self.quiet);
        let new: Vec<&Row> = rows.iter().filter(|row| !row.known).collect();
        let member =
            |row: &&Row| Member { id: row.id, age: died.since(row.started), suspicion: row.suspicion };
        let consequences = retry::share_blame(&new.iter().map(member).collect::<Vec<_>>(), polled);
        let mut alone = None;
        let mut list = Vec::with_capacity(ROW * new.len());
        for (row, consequence) in new.into_iter().zip(consequences) {
            if consequence.suspicion.is_alone() && consequence.wait.is_zero() {
                alone = Some(row.id);
            }
            list.put_slice(row.id.as_bytes());
            list.put_u64(row.token);
            list.put_u32(consequence.suspicion.crashes);
            list.put_u32(consequence.suspicion.packed());
            list.put_u64((now + consequence.wait).as_millis());
        }
        if !list.is_empty() {
            let mut call = self.call(&scripts::END_LEASE);
            call.arg(alone.as_ref().map_or(&[][..], |id| id.as_bytes())).arg(list);
            self.run::<()>(&call).await?;
        }
        Ok(rows.into_iter().map(|row| row.id).collect())
    }
}

fn rows(mut bytes: Bytes) -> Result<Vec<Row>, StoreError> {
    if !bytes.len().is_multiple_of(ROW) {
        return Err(corrupt(format_args!("{} bytes of a dead worker's claims", bytes.len())));
    }
    let mut rows = Vec::with_capacity(bytes.len() / ROW);
    while bytes.has_remaining() {
        let mut id = [0; 16];
        bytes.copy_to_slice(&mut id);
        let token = bytes.get_u64();
        let started = Timestamp::from_millis(bytes.get_u64());
        let crashes = bytes.get_u32();
        let suspicion = bytes.get_u32();
        rows.push(Row {
            id: TaskId::from_bytes(id),
            token,
            started,
            suspicion: Suspicion::unpacked(crashes, suspicion),
            known: bytes.get_u8() == 1,
        });
    }
    Ok(rows)
}
