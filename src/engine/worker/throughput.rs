use std::time::Duration;

use tokio::time::Instant;

/// How many messages to fetch ahead of free slots: as many as finished in the last half of `hold`, so that
/// what is fetched ahead starts long before it would be given back. Zero when tasks are slow.
pub(super) struct Throughput {
    window: Duration,
    started: Instant,
    finished: usize,
    ahead: usize,
}

impl Throughput {
    const MOST: usize = 1024;

    pub fn new(hold: Duration) -> Self {
        Self { window: hold / 2, started: Instant::now(), finished: 0, ahead: 0 }
    }

    pub fn finished(&mut self) {
        self.finished += 1;
    }

    pub fn ahead(&mut self) -> usize {
        let elapsed = self.started.elapsed();
        if elapsed >= self.window {
            let windows = elapsed.as_nanos() / self.window.as_nanos().max(1);
            self.ahead =
                usize::try_from(self.finished as u128 / windows.max(1)).unwrap_or(Self::MOST).min(Self::MOST);
            self.finished = 0;
            self.started = Instant::now();
        }
        self.ahead
    }

    /// Tasks finished a second, lately.
    pub fn per_second(&mut self) -> f64 {
        self.ahead() as f64 / self.window.as_secs_f64().max(0.001)
    }

    /// How many tasks to claim ahead of free slots: those that start within a quarter of `hold`. A killed
    /// worker's claims count as crashes, so no more than it has slots; none when tasks are slow.
    pub fn claims(&mut self, slots: usize) -> usize {
        (self.ahead() / 2).min(slots)
    }
}
