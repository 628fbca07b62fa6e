//! How many requests the HTTP API of this process has answered. The histograms of `/metrics` know it as well,
//! and cannot be asked.

use std::sync::atomic::{AtomicU64, Ordering};

static ANSWERED: AtomicU64 = AtomicU64::new(0);

pub(crate) fn count_request() {
    ANSWERED.fetch_add(1, Ordering::Relaxed);
}

/// Since the process began.
pub fn requests() -> u64 {
    ANSWERED.load(Ordering::Relaxed)
}
