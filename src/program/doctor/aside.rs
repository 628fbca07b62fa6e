//! What blocks its thread: files and disks, which may hang.

use std::thread;

use tokio::sync::oneshot;

/// Runs something slow on a thread of its own, which nobody waits for when its time is over. `None` where the
/// system has no thread for it, or it panicked.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = oneshot::channel();
    let started = thread::Builder::new().name("doctor".into()).spawn(move || {
        let _ = tell.send(work());
    });
    started.ok()?;
    told.await.ok()
}
