use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::{Progress, WorkerError, meter::Meter};
use crate::machine::{MachineWatch, data_folder};
use clawpool_backends::store::{self, Beat, Done, Orders, Store, StoreError};
use clawpool_core::{config::Config, task::Queue};

/// Keeps the worker's lease alive from a thread, a runtime and a store connection of its own, so that no
/// handler, however busy, can delay a heartbeat. The beats bring orders back.
pub(super) struct Heartbeat {
    pub vitals: Arc<Vitals>,
    pub orders: mpsc::Receiver<Orders>,
    stop: CancellationToken,
    thread: thread::JoinHandle<()>,
}

/// What the engine tells the heartbeat thread and learns from it.
#[derive(Debug, Default)]
pub(super) struct Vitals {
    /// The queues that are served, most urgent first.
    served: Mutex<Vec<Queue>>,
    /// Those of them with running tasks, and how many.
    running: Mutex<Vec<(Queue, usize)>>,
    draining: AtomicBool,
    /// Attempts that have ended, and the microseconds that they ran.
    done: AtomicU64,
    run: AtomicU64,
    /// Queues of which nothing starts any more.
    paused: Mutex<Vec<Queue>>,
    /// News that the process that paused a queue waits for.
    news: Notify,
    /// Kinds without a handler here, with their queues, and when a task of them came last.
    unhandled: Mutex<HashMap<(Queue, String), Instant>>,
    /// Since when every beat has arrived.
    sound_since: Mutex<Option<Instant>>,
}

/// A missed beat is made up for after so small a part of a heartbeat: who lost the connection and does not
/// beat over another one soon is taken for dead.
const AGAIN: u32 = 5;
/// Longer than the longest wait of a task that was handed on, so that its kind is told of for as long as it
/// waits.
const LATELY: Duration = Duration::from_secs(60);
/// Kinds told of with one heartbeat: a producer may make up as many as it likes.
const MOST_KINDS: usize = 20;

impl Vitals {
    pub fn set_served(&self, queues: Vec<Queue>) {
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = queues;
    }

    pub fn set_running(&self, tasks: impl Iterator<Item = (Queue, usize)>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.clear();
        running.extend(tasks);
    }

    /// The queues that are served, and of each how many tasks run.
    fn load(&self) -> (Vec<Queue>, Vec<u32>) {
        let queues = self.served.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let of =
            |queue: &Queue| running.iter().find(|(busy, _)| busy == queue).map_or(0, |(_, tasks)| *tasks);
        let counts = queues.iter().map(|queue| of(queue).try_into().unwrap_or(u32::MAX)).collect();
        (queues, counts)
    }

    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// The engine starts nothing more of these. The next heartbeat says so, and comes at once when they have
    /// changed.
    pub fn set_paused(&self, queues: &[Queue]) {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        if *paused != queues {
            *paused = queues.to_vec();
            self.news.notify_one();
        }
    }

    fn paused(&self) -> Vec<Queue> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn attempt_ended(&self, ran: Duration) {
        self.run.fetch_add(ran.as_micros().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// A task of this kind came, and there is no handler for it. Whether that is news.
    pub fn unhandled(&self, queue: Queue, kind: &str) -> bool {
        let mut kinds = self.unhandled.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.retain(|_, at| at.elapsed() < LATELY);
        let known = kinds.len();
        if known < MOST_KINDS || kinds.contains_key(&(queue, kind.to_owned())) {
            kinds.insert((queue, kind.to_owned()), Instant::now());
        }
        kinds.len() > known
    }

    fn lately_unhandled(&self) -> Vec<(Queue, String)> {
        let kinds = self.unhandled.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.iter().filter(|(_, at)| at.elapsed() < LATELY).map(|(kind, _)| kind.clone()).collect()
    }

    fn done(&self) -> Done {
        let run = Duration::from_micros(self.run.load(Ordering::Relaxed));
        Done { tasks: self.done.load(Ordering::Relaxed), run }
    }

    /// Whether every beat of the last `span` arrived. Only then is another worker's silence its own and not
    /// the store's.
    pub fn sound_for(&self, span: Duration) -> bool {
        self.sound_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|since| since.elapsed() >= span)
    }

    fn sound(&self, sound: bool) {
        let mut since = self.sound_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = if sound { since.or_else(|| Some(Instant::now())) } else { None };
    }
}

impl Heartbeat {
    /// Registers the worker; returns once its first beat has arrived, however long the store takes to answer,
    /// with the orders that the beat brought. Fails when `leave` fires before.
    pub async fn start(
        config: &Config,
        beat: Beat,
        progress: Progress,
        leave: &CancellationToken,
    ) -> Result<(Self, Orders), WorkerError> {
        let vitals = Arc::<Vitals>::default();
        vitals.set_served(beat.queues.clone());
        let (send_orders, mut orders) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let heartbeats = HeartbeatLoop {
            config: config.clone(),
            beat,
            progress,
            vitals: Arc::clone(&vitals),
            orders: send_orders,
            unsent: Orders::default(),
            meter: Meter::new(),
            machine: MachineWatch::start(data_folder(config)),
            stop: stop.clone(),
            registered: false,
            silent: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("lease".into()).spawn(move || {
            if let Err(error) = runtime.block_on(heartbeats.run()) {
                tracing::error!(code = error.code(), %error, "the heartbeat thread has ended; the worker \
                    leaves");
            }
        });
        let thread = thread?;
        match leave.run_until_cancelled(orders.recv()).await.flatten() {
            Some(first) => Ok((Self { vitals, orders, stop, thread }, first)),
            None => {
                stop.cancel();
                Err(WorkerError::NoLease)
            }
        }
    }

    /// Ends the heartbeats, and with `forget` takes the worker out of the registry.
    pub async fn finish(self) {
        self.stop.cancel();
        let thread = self.thread;
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

struct HeartbeatLoop {
    config: Config,
    beat: Beat,
    progress: Progress,
    vitals: Arc<Vitals>,
    orders: mpsc::Sender<Orders>,
    /// Orders that the engine was too busy to take; they are not in the store any more.
    unsent: Orders,
    meter: Meter,
    machine: MachineWatch,
    stop: CancellationToken,
    /// A beat has arrived.
    registered: bool,
    /// Since then none did.
    silent: Option<Instant>,
}

impl HeartbeatLoop {
    async fn run(mut self) -> Result<(), StoreError> {
        let mut tick = tokio::time::interval(self.config.worker.heartbeat);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut store: Option<Arc<dyn Store>> = None;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.vitals.news.notified() => {}
                () = self.stop.cancelled() => break,
            }
            match self.beat(&mut store).await {
                Ok(orders) => self.pass_on(orders),
                // Nothing runs yet, and a store that is not fit for use is refused.
                Err(error) if !self.registered && !error.is_retryable() => return Err(error),
                // Whatever it is, it may pass; a worker that has begun leaves when it is told to.
                Err(error) => {
                    self.missed(&error);
                    if self.may_be_heard_in_time() {
                        tick.reset_after(self.config.worker.heartbeat / AGAIN);
                    }
                }
            }
        }
        if let Some(store) = store
            && let Err(error) = store.forget(self.beat.worker).await
        {
            tracing::warn!(code = error.code(), %error, "the worker could not sign off; its lease will end \
                by itself");
        }
        Ok(())
    }

    async fn beat(&mut self, store: &mut Option<Arc<dyn Store>>) -> Result<Orders, StoreError> {
        let store = match store {
            Some(store) => store,
            None => store.insert(store::open(&self.config).await?),
        };
        self.beat.draining = self.vitals.draining.load(Ordering::Relaxed);
        (self.beat.queues, self.beat.running) = self.vitals.load();
        self.beat.progress = self.progress.take();
        self.beat.usage = self.meter.read();
        self.beat.machine = self.machine.last();
        self.beat.done = self.vitals.done();
        self.beat.paused = Some(self.vitals.paused());
        self.beat.unhandled = self.vitals.lately_unhandled();
        // A beat that takes longer than the lease is as good as a missed one.
        tokio::time::timeout(self.beat.lease, store.beat(&self.beat)).await.unwrap_or_else(|_| {
            Err(StoreError::Unavailable {
                store: "task",
                reason: format!("no answer within {:?}", self.beat.lease),
            })
        })
    }

    fn pass_on(&mut self, orders: Orders) {
        self.vitals.sound(true);
        self.registered = true;
        if self.silent.take().is_some() {
            tracing::info!("heartbeats arrive again");
        }
        self.unsent.cancel.extend(orders.cancel);
        self.unsent.lost.extend(orders.lost);
        // What was not answered is asked again.
        self.unsent.asked = orders.asked;
        self.unsent.drain |= orders.drain;
        self.unsent.paused = orders.paused;
        self.unsent.queues = orders.queues;
        if self.orders.try_send(self.unsent.clone()).is_ok() {
            self.unsent = Orders::default();
        }
    }

    /// Told once for each outage.
    fn missed(&mut self, error: &StoreError) {
        self.vitals.sound(false);
        if self.silent.is_some() {
            tracing::debug!(code = error.code(), %error, "a heartbeat was missed");
        } else {
            self.silent = Some(Instant::now());
            tracing::warn!(code = error.code(), %error, "heartbeats are missed; running tasks go on");
        }
    }

    /// After a whole lease without a beat there is nothing to hurry for.
    fn may_be_heard_in_time(&self) -> bool {
        self.silent.is_some_and(|since| since.elapsed() < self.beat.lease)
    }
}
