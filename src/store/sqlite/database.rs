//! One process's handle on the file: a writer thread, connections for queries, and a doorbell.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
    thread,
};

use rusqlite::Connection;
use tokio::{
    net::UdpSocket,
    sync::{Notify, Semaphore, mpsc, watch},
    task::AbortHandle,
    time::{Instant, MissedTickBehavior},
};

use super::{
    connection,
    doorbell::{CHECK, Doorbell, Topic},
    error::DatabaseError,
    writer::{Call, FailedWrite, Job, Write, Writer},
};
use crate::{
    config::{Config, Synchronous},
    task::TaskId,
};

/// Callers that the writer has in its queue at most; more of them wait for a place.
const QUEUED: usize = 512;
/// Connections for queries that are kept open.
const READERS: usize = 4;
/// Queries at a time; each has the file open. More of them wait.
const READING: usize = 16;
/// Of its [`CHECK`]s, every how many-th a process says that it still listens.
const RENEWAL: u32 = 6;

pub(crate) struct Database {
    path: PathBuf,
    /// Bounded by `places`; only detached writes go without one.
    jobs: mpsc::UnboundedSender<Box<dyn Job>>,
    places: Semaphore,
    readers: Mutex<Vec<Connection>>,
    reading: Semaphore,
    bells: Arc<Doorbell>,
    failed: FailedWrite,
    listener: AbortHandle,
}

/// The files that this process has open: its broker and its store share a handle, and so their commits.
static SHARED: LazyLock<Mutex<HashMap<PathBuf, Weak<Database>>>> = LazyLock::new(Mutex::default);

impl Database {
    /// The process's handle on the configured file.
    pub(crate) async fn shared(config: &Config) -> Result<Arc<Self>, DatabaseError> {
        let (path, synchronous) = (file(config), config.embedded.synchronous);
        blocking(&path.clone(), move || {
            let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(database) = shared.get(&path).and_then(Weak::upgrade) {
                return Ok(database);
            }
            let database = Self::start(&path, synchronous)?;
            shared.retain(|_, database| database.strong_count() > 0);
            shared.insert(path, Arc::downgrade(&database));
            Ok(database)
        })
        .await
    }

    /// A handle of its own, as another process would have.
    #[cfg(test)]
    pub(crate) async fn open(config: &Config) -> Result<Arc<Self>, DatabaseError> {
        let (path, synchronous) = (file(config), config.embedded.synchronous);
        blocking(&path.clone(), move || Self::start(&path, synchronous)).await
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn start(path: &Path, synchronous: Synchronous) -> Result<Arc<Self>, DatabaseError> {
        let system = |error: std::io::Error| DatabaseError::refused(format!("{}: {error}", path.display()));
        let sql = connection::create(path, synchronous)?;
        let (bells, receiver) = Doorbell::new().map_err(system)?;
        let receiver = UdpSocket::from_std(receiver).map_err(system)?;
        let bells = Arc::new(bells);
        let (jobs, queue) = mpsc::unbounded_channel();
        let writer = Writer {
            path: path.to_owned(),
            sql,
            jobs: queue,
            version: 0,
            bells: bells.clone(),
            failed: FailedWrite::default(),
        };
        let failed = writer.failed.clone();
        thread::Builder::new().name("clawpool-sqlite".into()).spawn(move || writer.run()).map_err(system)?;
        Ok(Arc::new_cyclic(|this| Self {
            path: path.to_owned(),
            jobs,
            places: Semaphore::new(QUEUED),
            readers: Mutex::default(),
            failed,
            reading: Semaphore::new(READING),
            listener: tokio::spawn(attend(this.clone(), bells.clone(), receiver)).abort_handle(),
            bells,
        }))
    }

    /// Runs `work` in a transaction on the writer thread; its result comes back once that is committed.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, DatabaseError>
    where
        F: FnOnce(&mut Write<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let _place = self.places.acquire().await.map_err(|_| self.stopped())?;
        let (call, answer) = Call::new(work);
        self.jobs.send(Box::new(call)).map_err(|_| self.stopped())?;
        answer.await.map_err(|_| self.stopped())?
    }

    /// The same for callers that cannot wait, such as destructors: done soon, and nobody is told.
    pub(crate) fn write_detached<F>(&self, work: F)
    where
        F: FnOnce(&mut Write<'_>) -> rusqlite::Result<()> + Send + 'static,
    {
        // Fails only when the writer has stopped, and everything with it.
        let _ = self.jobs.send(Box::new(Call::new(work).0));
    }

    /// Runs a query on a connection of its own, which sees every commit that was answered before.
    pub(crate) async fn read<T, F>(self: &Arc<Self>, query: F) -> Result<T, DatabaseError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let _turn = self.reading.acquire().await.map_err(|_| self.stopped())?;
        let this = self.clone();
        blocking(&self.path, move || {
            let kept = this.kept().pop();
            let failed = |error| DatabaseError::new(&this.path, &error);
            let sql = kept.map_or_else(|| connection::reader(&this.path), Ok).map_err(failed)?;
            let outcome = query(&sql).map_err(failed);
            let mut kept = this.kept();
            if kept.len() < READERS {
                kept.push(sql);
            }
            outcome
        })
        .await
    }

    /// What became of the last write that found no room, since this was last asked.
    pub(super) fn failed_write(&self) -> Option<DatabaseError> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A receiver that fires with every later change of the topic, made by whichever process. Look after this returned.
    pub(crate) async fn listen(self: &Arc<Self>, topic: Topic) -> Result<watch::Receiver<()>, DatabaseError> {
        if !self.bells.is_listening(topic) {
            let bells = self.bells.clone();
            self.write(move |write| bells.listen(topic, write.sql, write.now)).await?;
            self.bells.listens(topic);
        }
        Ok(self.bells.subscribe(topic))
    }

    /// Fires when the task has ended, in whichever process.
    pub(super) async fn listen_for(self: &Arc<Self>, id: TaskId) -> Result<Waiter, DatabaseError> {
        self.listen(Topic::Finished).await?;
        Ok(Waiter { id, bell: self.bells.waiter(id), bells: self.bells.clone() })
    }

    fn stopped(&self) -> DatabaseError {
        DatabaseError::stopped(&self.path)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Waits for one task's end.
pub(super) struct Waiter {
    id: TaskId,
    pub(super) bell: Arc<Notify>,
    bells: Arc<Doorbell>,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.bells.leave(self.id);
    }
}

/// Listens for other processes' rings, and every few seconds makes all who wait look by themselves.
async fn attend(database: Weak<Database>, bells: Arc<Doorbell>, receiver: UdpSocket) {
    let mut datagram = vec![0; 16 * 1024];
    let mut checks = tokio::time::interval_at(Instant::now() + CHECK, CHECK);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count = 0;
    loop {
        tokio::select! {
            heard = receiver.recv(&mut datagram) => match heard {
                Ok(length) => bells.heard(&datagram[..length]),
                // It may go on; the checks stand in meanwhile.
                Err(_) => tokio::time::sleep(CHECK).await,
            },
            _ = checks.tick() => {
                bells.wake_all();
                count = (count + 1) % RENEWAL;
                if count == 0 && bells.is_listening_at_all() {
                    let Some(database) = database.upgrade() else { return };
                    let bells = bells.clone();
                    database.write_detached(move |write| bells.renew(write.sql, write.now));
                }
            }
        }
    }
}

fn file(config: &Config) -> PathBuf {
    let path = config.embedded.data.join("clawpool.db");
    std::path::absolute(&path).unwrap_or(path)
}

/// Runs something slow beside the runtime's own threads.
async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> Result<T, DatabaseError> + Send + 'static,
) -> Result<T, DatabaseError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(DatabaseError::stopped(path)))
}
