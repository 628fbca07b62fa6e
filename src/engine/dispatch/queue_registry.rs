//! Queues that were made at run time, beside those of the configuration.
//!
//! Guarantees: a queue that was made is known to every dispatcher within moments, and outlives all of them;
//! one name is one queue. Never does: ask the store for a queue that the configuration has.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use clawpool_backends::store::{Store, StoreError};
use clawpool_core::{config::Config, task::Queue};

/// The notes of the queues begin so; their names follow.
const NOTES: &str = "queue/";
/// So long a queue that was found is taken for open.
const FRESH: Duration = Duration::from_secs(1);
/// So long none of another name is looked for again, whatever names producers ask for.
const MISSED: Duration = Duration::from_millis(50);

/// All queues by name.
pub struct QueueRegistry {
    /// Those of the configuration.
    known: Vec<Queue>,
    store: Arc<dyn Store>,
    seen: Mutex<Option<(Instant, Arc<[Registered]>)>>,
}

/// A queue that was made at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The queue.
    pub queue: Queue,
    /// It is being removed: it takes no new tasks.
    pub is_closing: bool,
}

/// What follows the written queue in the note of one that is being removed.
const CLOSING: &str = " closing";

impl Registered {
    fn read(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let (written, is_closing) = text.strip_suffix(CLOSING).map_or((text, false), |text| (text, true));
        Some(Self { queue: written.parse().ok()?, is_closing })
    }

    fn written(self) -> String {
        format!("{}{}", self.queue.written(), if self.is_closing { CLOSING } else { "" })
    }
}

impl QueueRegistry {
    /// Over the store that all dispatchers share.
    pub fn new(config: &Config, store: Arc<dyn Store>) -> Self {
        Self { known: config.known_queues(), store, seen: Mutex::default() }
    }

    /// Those of the configuration.
    pub fn configured(&self) -> &[Queue] {
        &self.known
    }

    /// Those that were made at run time, as the store has them now.
    pub async fn registered(&self) -> Result<Arc<[Registered]>, StoreError> {
        let notes = self.store.notes(NOTES).await?;
        let read = notes.iter().filter_map(|(_, value)| Registered::read(value));
        let registered: Arc<[Registered]> =
            read.filter(|own| !self.known.iter().any(|known| known.name() == own.queue.name())).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), Arc::clone(&registered)));
        Ok(registered)
    }

    /// All, most urgent first.
    pub async fn all(&self) -> Result<Vec<Queue>, StoreError> {
        let registered = self.registered().await?;
        let mut all: Vec<Queue> =
            self.known.iter().copied().chain(registered.iter().map(|own| own.queue)).collect();
        all.sort_unstable();
        Ok(all)
    }

    /// The queue with this name that takes new tasks, as of a moment ago.
    pub async fn open(&self, name: &str) -> Result<Option<Queue>, StoreError> {
        if let Some(known) = self.known.iter().find(|queue| queue.name() == name) {
            return Ok(Some(*known));
        }
        let find = |registered: &[Registered]| {
            registered.iter().find(|own| own.queue.name() == name && !own.is_closing).map(|own| own.queue)
        };
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, registered)) = seen {
            let found = find(&registered);
            let good_for = if found.is_some() { FRESH } else { MISSED };
            if at.elapsed() < good_for {
                return Ok(found);
            }
        }
        Ok(find(&self.registered().await?))
    }

    /// Makes a queue, or opens one again that was being removed. Answers the queue that has the name already,
    /// where that is another one.
    pub async fn add(&self, queue: Queue) -> Result<Result<(), Queue>, StoreError> {
        if let Some(other) = self.find(queue.name()).await?.filter(|other| *other != queue) {
            return Ok(Err(other));
        }
        self.put(Registered { queue, is_closing: false }).await.map(Ok)
    }

    /// It takes no new tasks from now on.
    pub async fn close(&self, queue: Queue) -> Result<(), StoreError> {
        self.put(Registered { queue, is_closing: true }).await
    }

    /// Forgets a queue. False when there was none.
    pub async fn remove(&self, queue: Queue) -> Result<bool, StoreError> {
        let removed = self.store.erase_note(&format!("{NOTES}{}", queue.name())).await?;
        self.forget_seen();
        Ok(removed)
    }

    /// This process knows at once what it has changed.
    fn forget_seen(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The queue with this name, of the configuration or not, as the store has it now.
    pub async fn find(&self, name: &str) -> Result<Option<Queue>, StoreError> {
        Ok(self.all().await?.into_iter().find(|queue| queue.name() == name))
    }

    async fn put(&self, registered: Registered) -> Result<(), StoreError> {
        let name = format!("{NOTES}{}", registered.queue.name());
        self.store.put_note(None, &name, registered.written().into(), None).await?;
        self.forget_seen();
        Ok(())
    }
}
