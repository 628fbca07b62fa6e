//! The one thread of a process that writes to the file. Whatever waits when it becomes free goes into one
//! transaction, so that many callers share one commit (and one flush to disk); each is answered after the
//! commit. No caller waits without end: what has stood in the line for too long is refused, undone, and
//! [`Progress`] tells of a writer that is held up.

use std::{
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    connection::PATIENCE,
    doorbell::{Doorbell, Rings},
    error::DatabaseError,
    progress::Progress,
};
use clawpool_core::task::Timestamp;

/// Callers that share one transaction at most: it must not keep other processes waiting for long.
const GROUP: usize = 128;

/// A busy writer leaves the lock alone for so long after each commit while other processes write as well:
/// they sleep between their tries, and would find it taken again and again.
const COURTESY: Duration = Duration::from_micros(200);

/// What a job works with: the transaction, its time, and whom to wake once it is committed.
pub struct Write<'a> {
    pub sql: &'a Connection,
    pub(crate) now: Timestamp,
    pub(crate) rings: &'a mut Rings,
}

pub(crate) trait Job: Send {
    /// Whether no caller counts on it any more.
    fn is_late(&self) -> bool;
    fn run(&mut self, write: &mut Write<'_>) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, failure: Option<DatabaseError>);
}

/// One caller's closure and the way back to the caller.
pub(crate) struct Call<F, T> {
    work: Option<F>,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, DatabaseError>>,
    /// `None`: to be done however late.
    asked: Option<Instant>,
}

impl<F, T> Call<F, T> {
    pub(crate) fn new(
        work: F,
        asked: Option<Instant>,
    ) -> (Self, oneshot::Receiver<Result<T, DatabaseError>>) {
        let (reply, answer) = oneshot::channel();
        (Self { work: Some(work), result: None, reply, asked }, answer)
    }
}

impl<F, T> Job for Call<F, T>
where
    F: FnOnce(&mut Write<'_>) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn is_late(&self) -> bool {
        self.asked.is_some_and(|asked| asked.elapsed() >= PATIENCE)
    }

    fn run(&mut self, write: &mut Write<'_>) -> rusqlite::Result<()> {
        if let Some(work) = self.work.take() {
            self.result = Some(work(write)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, failure: Option<DatabaseError>) {
        // Fails only when the caller has gone; a result that matters takes care of itself when it is dropped.
        let _ = match (failure, self.result) {
            (None, Some(result)) => self.reply.send(Ok(result)),
            (Some(failure), _) => self.reply.send(Err(failure)),
            (None, None) => return,
        };
    }
}

pub(crate) struct Writer {
    pub(crate) path: PathBuf,
    pub sql: Connection,
    pub(crate) jobs: mpsc::UnboundedReceiver<Box<dyn Job>>,
    /// SQLite's count of other processes' commits, as last seen.
    pub(crate) version: i64,
    pub(crate) bells: Arc<Doorbell>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) failed: FailedWrite,
}

/// The last write that found no room, until a caller asks for it.
pub(crate) type FailedWrite = std::sync::Arc<std::sync::Mutex<Option<DatabaseError>>>;

impl Writer {
    /// Until every handle is gone; what was sent before is still done.
    pub(crate) fn run(mut self) {
        while let Some(first) = self.jobs.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP
                && let Ok(job) = self.jobs.try_recv()
            {
                group.push(job);
            }
            self.progress.begin();
            self.commit(self.refuse_late(group));
            self.progress.end();
            if !self.jobs.is_empty() && self.others_write() {
                thread::sleep(COURTESY);
            }
        }
        self.bells.close(&self.sql);
    }

    /// Answers those that another process's lock has kept waiting for too long; the others remain.
    fn refuse_late(&self, group: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
        let (late, group): (Vec<_>, Vec<_>) = group.into_iter().partition(|job| job.is_late());
        late.into_iter().for_each(|job| job.answer(Some(DatabaseError::late(&self.path))));
        group
    }

    /// Whether another process has written since this was last asked.
    fn others_write(&mut self) -> bool {
        let version = self
            .sql
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut query| query.query_row((), |row| row.get(0)));
        let version = version.unwrap_or(self.version);
        std::mem::replace(&mut self.version, version) != version
    }

    fn commit(&self, mut group: Vec<Box<dyn Job>>) {
        if group.is_empty() {
            return;
        }
        let mut rings = Rings::default();
        match self.transact(&mut group, &mut rings) {
            Ok(failures) => {
                failures.iter().flatten().for_each(|failure| self.note(failure));
                self.bells.ring(&rings, &self.sql);
                for (job, failure) in group.into_iter().zip(failures) {
                    job.answer(failure);
                }
            }
            Err(error) => {
                self.abandon();
                let failure = DatabaseError::new(&self.path, &error);
                self.note(&failure);
                group.into_iter().for_each(|job| job.answer(Some(failure.clone())));
            }
        }
    }

    fn note(&self, failure: &DatabaseError) {
        if failure.is_blocked() {
            *self.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(failure.clone());
        }
    }

    /// Runs all jobs in one transaction. A job that fails is undone alone; an error that ends the transaction
    /// fails all.
    fn transact(
        &self,
        group: &mut [Box<dyn Job>],
        rings: &mut Rings,
    ) -> rusqlite::Result<Vec<Option<DatabaseError>>> {
        self.step("BEGIN IMMEDIATE")?;
        let mut write = Write { sql: &self.sql, now: Timestamp::now(), rings };
        if let [job] = group {
            // Undone with the transaction: a savepoint would keep a copy of each page that it changes.
            job.run(&mut write)?;
            self.step("COMMIT")?;
            return Ok(vec![None]);
        }
        let mut failures = Vec::with_capacity(group.len());
        for job in group {
            self.step("SAVEPOINT job")?;
            let outcome = job.run(&mut write);
            if let Err(error) = &outcome {
                if self.sql.is_autocommit() {
                    return outcome.map(|()| Vec::new());
                }
                tracing::warn!(%error, "a write to the database failed and was undone");
                self.step("ROLLBACK TO job")?;
            }
            self.step("RELEASE job")?;
            failures.push(outcome.err().map(|error| DatabaseError::new(&self.path, &error)));
        }
        self.step("COMMIT")?;
        Ok(failures)
    }

    fn step(&self, statement: &str) -> rusqlite::Result<()> {
        self.sql.prepare_cached(statement)?.execute(()).map(drop)
    }

    fn abandon(&self) {
        if !self.sql.is_autocommit()
            && let Err(error) = self.step("ROLLBACK")
        {
            tracing::error!(%error, path = %self.path.display(), "a failed transaction could not be rolled \
                back");
        }
    }
}
