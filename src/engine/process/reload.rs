//! When this process is asked to read its configuration again.

use std::sync::LazyLock;

use tokio::sync::watch;

/// How often it was asked.
static ASKED: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));

/// Asks this process: a service manager, a supervisor, a signal. Nobody need listen.
pub fn request_reload() {
    ASKED.send_modify(|asked| *asked += 1);
}

/// The requests that come from now on. Several at once are one.
pub fn reload_requests() -> ReloadRequests {
    ReloadRequests(ASKED.subscribe())
}

/// Whether anybody in this process follows requests.
#[cfg(any(unix, test))]
pub(super) fn is_followed() -> bool {
    ASKED.receiver_count() > 0
}

/// What asks for a reload.
pub struct ReloadRequests(watch::Receiver<u64>);

impl ReloadRequests {
    /// Returns with the next request.
    pub async fn next(&mut self) {
        // The sender lives as long as the process.
        let _ = self.0.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_is_heard_by_who_follows() {
        request_reload();
        let mut requests = reload_requests();
        assert!(is_followed());
        request_reload();
        request_reload();
        requests.next().await;
        let next = tokio::time::timeout(std::time::Duration::from_millis(10), requests.next());
        assert!(next.await.is_err(), "two at once are one, and earlier ones are over");
    }
}
