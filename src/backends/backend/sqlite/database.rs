//! One process's handle on the file: a writer thread, connections for queries, and a doorbell.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
    thread,
    time::{Duration, Instant as Clock},
};

use rusqlite::Connection;
use tokio::{
    net::UdpSocket,
    sync::{Notify, Semaphore, mpsc, watch},
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, timeout},
};

use super::{
    connection::{self, PATIENCE},
    doorbell::{CHECK, Doorbell, Topic},
    error::DatabaseError,
    progress::Progress,
    writer::{Call, FailedWrite, Job, Write, Writer},
};
use clawpool_core::{
    config::{Config, Synchronous},
    task::TaskId,
};

/// Callers that the writer has in its queue at most; more of them wait for a place.
const QUEUED: usize = 512;
/// Connections for queries that are kept open.
const READERS: usize = 4;
/// Queries at a time; each has the file open. More of them wait.
const READING: usize = 16;
/// How often a process looks whether its doorbell rings and its writer gets on.
const TICK: Duration = Duration::from_secs(1);
/// How often it says that it still listens.
const RENEWAL: Duration = Duration::from_secs(30);
/// The writer and the readers answer by themselves before this, whichever process has the file's lock, unless
/// their disk hangs.
const DEADLINE: Duration = PATIENCE.saturating_mul(2).saturating_add(Duration::from_secs(5));

pub struct Database {
    path: PathBuf,
    /// Bounded by `places`; only detached writes go without one.
    pub(crate) jobs: mpsc::UnboundedSender<Box<dyn Job>>,
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
    pub async fn shared(config: &Config) -> Result<Arc<Self>, DatabaseError> {
        let path = file(config);
        let synchronous = config.embedded.synchronous;
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
        let path = file(config);
        let synchronous = config.embedded.synchronous;
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
        let progress = Arc::<Progress>::default();
        let failed = FailedWrite::default();
        let writer = Writer {
            path: path.to_owned(),
            sql,
            jobs: queue,
            version: 0,
            bells: bells.clone(),
            progress: progress.clone(),
            failed: failed.clone(),
        };
        thread::Builder::new().name("clawpool-sqlite".into()).spawn(move || writer.run()).map_err(system)?;
        let path = path.to_owned();
        Ok(Arc::new_cyclic(|this| {
            let attendant = Attendant { database: this.clone(), bells: bells.clone(), progress };
            let listener = tokio::spawn(attendant.run(receiver)).abort_handle();
            Self {
                path,
                jobs,
                places: Semaphore::new(QUEUED),
                readers: Mutex::default(),
                reading: Semaphore::new(READING),
                bells,
                failed,
                listener,
            }
        }))
    }

    /// Runs `work` in a transaction on the writer thread; its result comes back once that is committed.
    pub async fn write<T, F>(&self, work: F) -> Result<T, DatabaseError>
    where
        F: FnOnce(&mut Write<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let start = Clock::now();
        let late = |_| DatabaseError::late(&self.path);
        let place = timeout(PATIENCE, self.places.acquire()).await.map_err(late)?;
        let _place = place.map_err(|_| self.stopped())?;
        let (call, answer) = Call::new(work, Some(Clock::now()));
        self.jobs.send(Box::new(call)).map_err(|_| self.stopped())?;
        let answer = timeout(DEADLINE, answer).await.map_err(late)?.map_err(|_| self.stopped())?;
        metrics::histogram!("clawpool_round_trip_seconds", "server" => "sqlite", "operation" => "write")
            .record(start.elapsed());
        answer
    }

    /// The same for callers that cannot wait, such as destructors: done soon, and without an answer.
    pub(crate) fn write_detached<F>(&self, work: F)
    where
        F: FnOnce(&mut Write<'_>) -> rusqlite::Result<()> + Send + 'static,
    {
        // Fails only when the writer has stopped, and everything with it.
        let _ = self.jobs.send(Box::new(Call::new(work, None).0));
    }

    /// Runs a query on a connection of its own, which sees every commit that was answered before.
    pub(crate) async fn read<T, F>(self: &Arc<Self>, query: F) -> Result<T, DatabaseError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let start = Clock::now();
        let _turn = self.reading.acquire().await.map_err(|_| self.stopped())?;
        let this = self.clone();
        let outcome = blocking(&self.path, move || {
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
        .await;
        metrics::histogram!("clawpool_round_trip_seconds", "server" => "sqlite", "operation" => "read")
            .record(start.elapsed());
        outcome
    }

    /// What became of the last write that found no room, since this was last asked.
    pub(crate) fn failed_write(&self) -> Option<DatabaseError> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A receiver that fires with every later change of the topic, made by whichever process. Look after this
    /// returned.
    pub(crate) async fn listen(self: &Arc<Self>, topic: Topic) -> Result<watch::Receiver<()>, DatabaseError> {
        if !self.bells.is_listening(topic) {
            let bells = self.bells.clone();
            self.write(move |write| bells.listen(topic, write.sql, write.now)).await?;
            self.bells.listens(topic);
        }
        Ok(self.bells.subscribe(topic))
    }

    /// Fires when the task has ended, in whichever process.
    pub(crate) async fn listen_for(self: &Arc<Self>, id: TaskId) -> Result<Waiter, DatabaseError> {
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
pub(crate) struct Waiter {
    id: TaskId,
    pub(crate) bell: Arc<Notify>,
    bells: Arc<Doorbell>,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.bells.leave(self.id);
    }
}

/// Listens for other processes' rings, and makes all waiters look by themselves: every few seconds, and
/// every second while the doorbell is not heard.
pub(crate) struct Attendant {
    pub(crate) database: Weak<Database>,
    pub(crate) bells: Arc<Doorbell>,
    pub(crate) progress: Arc<Progress>,
}

impl Attendant {
    pub(crate) async fn run(self, receiver: UdpSocket) {
        let mut datagram = vec![0; 16 * 1024];
        let start = Instant::now();
        let mut ticks = tokio::time::interval_at(start + TICK, TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut checked = start;
        let mut renewed = start;
        loop {
            tokio::select! {
                // What was heard counts before it is asked whether anything was.
                biased;
                heard = receiver.recv(&mut datagram) => match heard {
                    Ok(length) => self.bells.heard(&datagram[..length]),
                    // It may go on; the ticks stand in meanwhile.
                    Err(_) => tokio::time::sleep(TICK).await,
                },
                now = ticks.tick() => {
                    let Some(database) = self.database.upgrade() else { return };
                    self.progress.tell(&database.path);
                    if !self.bells.is_alive() || now - checked >= CHECK {
                        checked = now;
                        self.bells.wake_all();
                    }
                    if now - renewed >= RENEWAL && self.bells.is_listening_at_all() {
                        renewed = now;
                        let bells = self.bells.clone();
                        database.write_detached(move |write| bells.renew(write.sql, write.now));
                    }
                }
            }
        }
    }
}

pub(super) fn file(config: &Config) -> PathBuf {
    let path = config.embedded.data.join("clawpool.db");
    std::path::absolute(&path).unwrap_or(path)
}

/// Runs something slow beside the runtime's own threads, within the deadline.
async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> Result<T, DatabaseError> + Send + 'static,
) -> Result<T, DatabaseError> {
    match timeout(DEADLINE, tokio::task::spawn_blocking(work)).await {
        Ok(done) => done.unwrap_or_else(|_| Err(DatabaseError::stopped(path))),
        Err(_) => Err(DatabaseError::late(path)),
    }
}
