use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use clawpool_backends::store::{Served, Store};

/// Which queues and kinds live workers serve, for warnings. The registry is read when tasks come, and every
/// few seconds at most.
pub(super) struct ServedCache {
    store: Arc<dyn Store>,
    seen: Mutex<Option<(Instant, Arc<Served>)>>,
    asking: tokio::sync::Mutex<()>,
}

const FRESH: Duration = Duration::from_secs(3);
/// A warning is not worth a longer wait.
const PATIENCE: Duration = Duration::from_millis(500);

impl ServedCache {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, seen: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// What is served, as of a moment ago. `None` while the store does not answer.
    pub(super) async fn served(&self) -> Option<Arc<Served>> {
        if let Some((at, served)) = self.seen()
            && at.elapsed() < FRESH
        {
            return Some(served);
        }
        // One asks for all; the others make do with what was seen before.
        let Ok(_asking) = self.asking.try_lock() else { return self.seen().map(|(_, served)| served) };
        let served = match timeout(PATIENCE, self.store.workers()).await {
            Ok(Ok(workers)) => Some(Arc::new(Served::by(&workers))),
            Ok(Err(_)) | Err(_) => None,
        };
        let seen = served.clone().map(|served| (Instant::now(), served));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        served
    }

    fn seen(&self) -> Option<(Instant, Arc<Served>)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
