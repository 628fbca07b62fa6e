use std::time::Duration;

/// Waits that double from a tenth of a second to two, each shortened by chance so that the processes of a pool do not
/// come back to a restarted server in one wave.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    /// Short: recovery within ten seconds counts from the server's return.
    const MAX: Duration = Duration::from_secs(2);

    pub(super) fn next(&mut self) -> Duration {
        let full = Self::FIRST.saturating_mul(1 << self.failures.min(16)).min(Self::MAX);
        self.failures += 1;
        full.mul_f64(rand::random_range(0.5..1.0))
    }

    /// Since the last success.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_limit_and_starts_again() {
        let mut backoff = Backoff::default();
        assert!(backoff.next() <= Backoff::FIRST);
        for _ in 0..100 {
            assert!(backoff.next() <= Backoff::MAX);
        }
        assert!(backoff.next() >= Backoff::MAX / 2);
        backoff.reset();
        assert!(backoff.next() <= Backoff::FIRST);
    }
}
