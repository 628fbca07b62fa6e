//! How tests wait.

#![allow(clippy::expect_used)]

use std::time::Duration;

/// Waits for something that needs a moment to become true. A case in which it never does is ended by
/// [`guarded`].
pub async fn eventually(mut probe: impl AsyncFnMut() -> bool) {
    while !probe().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Turns a case that hangs into one that fails.
pub async fn guarded<T>(case: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), case)
        .await
        .expect("the case hangs: it waits for what never comes")
}
