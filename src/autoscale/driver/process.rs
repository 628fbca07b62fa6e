//! The pool as child processes of this one.
//!
//! Guarantees: a worker that dies or hangs is replaced; a drained one is not; all leave when this process is told to end,
//! and see its end when it is not. Never does: start more than it was asked for.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::{Driver, DriverError, Member, MemberId};
use crate::{
    autoscale::policy::Headroom,
    supervise::{Children, Shutdown},
    task::WorkerId,
};

pub struct Processes {
    children: Arc<Children>,
    places: Mutex<Vec<Place>>,
    tasks: TaskTracker,
    shutdown: Shutdown,
    next: AtomicU64,
}

/// One worker and whoever replaces it.
struct Place {
    id: MemberId,
    worker: watch::Receiver<Option<WorkerId>>,
    shutdown: Shutdown,
}

/// What an idle worker takes, and is reckoned to take before it says so itself.
const WORKER: u64 = 32 << 20;
/// Of the machine's memory, what is left to everybody else.
const SPARE: u64 = 10;

impl Processes {
    pub fn new(children: Children, shutdown: &Shutdown) -> Self {
        Self {
            children: Arc::new(children),
            places: Mutex::default(),
            tasks: TaskTracker::new(),
            shutdown: shutdown.clone(),
            next: AtomicU64::new(1),
        }
    }

    /// Watches over the workers, and returns when this process was told to end and all of them have left.
    pub async fn run(&self) {
        let left = async {
            self.shutdown.drain.cancelled().await;
            self.tasks.close();
            self.tasks.wait().await;
        };
        tokio::select! {
            () = left => {}
            never = self.children.observe() => match never {},
        }
    }

    /// Those that have not left yet.
    fn places(&self) -> MutexGuard<'_, Vec<Place>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|place| place.worker.has_changed().is_ok());
        places
    }

    fn stop(&self, members: &[MemberId], how: impl Fn(&Shutdown)) {
        self.places().iter().filter(|place| members.contains(&place.id)).for_each(|place| how(&place.shutdown));
    }
}

#[async_trait]
impl Driver for Processes {
    async fn members(&self) -> Result<Vec<Member>, DriverError> {
        let member = |place: &Place| Member {
            id: place.id.clone(),
            worker: *place.worker.borrow(),
            host: None,
            draining: place.shutdown.drain.is_cancelled(),
        };
        Ok(self.places().iter().map(member).collect())
    }

    async fn start(&self, count: u32) -> Result<(), DriverError> {
        let mut places = self.places();
        for _ in 0..count {
            let now = self.shutdown.now.child_token();
            let shutdown = Shutdown { drain: self.shutdown.drain.child_token(), now };
            let (known, worker) = watch::channel(None);
            let id = MemberId(self.next.fetch_add(1, Ordering::Relaxed).to_string());
            places.push(Place { id, worker, shutdown: shutdown.clone() });
            let children = Arc::clone(&self.children);
            self.tasks.spawn(async move { children.keep_place(&shutdown, &known).await });
        }
        Ok(())
    }

    async fn drain(&self, members: &[MemberId]) -> Result<(), DriverError> {
        self.stop(members, |place| place.drain.cancel());
        Ok(())
    }

    async fn replace(&self, members: &[MemberId]) -> Result<(), DriverError> {
        self.stop(members, |place| {
            place.now.cancel();
            place.drain.cancel();
        });
        self.start(members.len() as u32).await
    }

    fn headroom(&self) -> Option<Headroom> {
        let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(memory).ok()?;
        let spare = system.total_memory() / SPARE;
        Some(Headroom { free: system.available_memory().saturating_sub(spare), per_worker: WORKER })
    }
}
