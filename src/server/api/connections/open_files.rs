//! The files that this process may have open, and how many of them connections may take.
//!
//! Guarantees: workers and their pipes keep a part of them, whatever the limit is.

/// Of so many files, those that connections may take: a worker needs some for its pipes, a store some for its
/// file.
pub(super) fn share(files: usize) -> usize {
    const KEPT: usize = 256;
    files - KEPT.max(files / 4).min(files / 2)
}

#[cfg(unix)]
pub(super) fn open_files() -> Option<usize> {
    use rustix::process::{Resource, getrlimit};

    usize::try_from(getrlimit(Resource::Nofile).current?).ok()
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub(super) const fn open_files() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_kept_for_workers_whatever_the_limit() {
        assert_eq!([64, 256, 1024, 65_536].map(share), [32, 128, 768, 49_152]);
    }
}
