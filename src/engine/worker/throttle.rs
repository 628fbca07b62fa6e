use std::time::Duration;

use tokio::time::Instant;

/// Slows a worker's other work while its P0 and P1 find the servers busy (INV-4). They share store, disk and
/// processors with the rest, so a flood of short tasks would keep them waiting though their slots are free.
///
/// The claims of urgent tasks tell: the rate of other claims falls with each slow one and rises while there
/// is none. Without urgent tasks it rises faster, and in the end nothing is held back. It asks the clock
/// alone.
#[derive(Debug)]
pub(super) struct Throttle {
    /// Claims that take less are not slow.
    brisk: Duration,
    /// Other tasks a second. None: as many as there are.
    rate: Option<f64>,
    /// No claim was slow since the first urgent task came.
    untried: bool,
    /// The part of a task that was due when others were last let through.
    due: f64,
    opened: Instant,
    fell: Instant,
    urgent: Instant,
    /// The shortest claims of the last spell and of this one: what the servers need when they are free.
    shortest: [Duration; 2],
    spell: Instant,
}

impl Throttle {
    /// Others are claimed this often, many in one call: single calls would cost the servers more than they
    /// let through.
    pub const INTERVAL: Duration = Duration::from_millis(20);
    /// After a slow claim the rate does not rise for this long, and falls no further for half of it.
    const REST: Duration = Duration::from_millis(100);
    const FALL: f64 = 0.7;
    /// By what the rate grows in a second while urgent tasks come; before their first slow claim; and without
    /// them.
    const GROWTH: f64 = 1.2;
    const FIRST_GROWTH: f64 = 6.0;
    const RECOVERY: f64 = 2.5;
    /// So few do no harm.
    const LEAST: f64 = 500.0;
    /// So many pass at first, whatever was finished before: a worker that had nothing to do must not make
    /// others wait for that.
    const FIRST: f64 = 4_000.0;
    /// So many are no limit.
    const MOST: f64 = 100_000.0;
    const SPELL: Duration = Duration::from_secs(30);

    /// A claim is slow when it takes more than `brisk`, and four times as long as the shortest.
    pub fn new(brisk: Duration) -> Self {
        let now = Instant::now();
        let shortest = [Duration::MAX; 2];
        Self {
            brisk,
            rate: None,
            untried: true,
            due: 0.0,
            opened: now,
            fell: now,
            urgent: now,
            shortest,
            spell: now,
        }
    }

    /// An urgent task came, while so many others are finished a second. The first one takes three quarters of
    /// these away at once, since it is not known yet what it will meet.
    pub fn arrived(&mut self, others: f64) {
        self.urgent = Instant::now();
        if self.rate.is_none() {
            (self.rate, self.untried) = (Some((others / 4.0).max(Self::FIRST)), true);
        }
    }

    /// The claim of an urgent task took so long.
    pub fn answered(&mut self, took: Duration) {
        if self.spell.elapsed() >= Self::SPELL {
            (self.shortest, self.spell) = ([Duration::MAX, self.shortest[0]], Instant::now());
        }
        self.shortest[0] = self.shortest[0].min(took);
        let least = self.shortest[0].min(self.shortest[1]);
        if took > self.brisk.max(least.saturating_mul(4)) && self.fell.elapsed() >= Self::REST / 2 {
            (self.fell, self.untried) = (Instant::now(), false);
            self.rate = self.rate.map(|rate| (rate * Self::FALL).max(Self::LEAST));
        }
    }

    /// How many others may be claimed now.
    pub fn open(&mut self) -> usize {
        let Some(rate) = self.rate else { return usize::MAX };
        let elapsed = self.opened.elapsed();
        if elapsed < Self::INTERVAL {
            return 0;
        }
        self.opened = Instant::now();
        self.grow(rate, elapsed);
        // What was not claimed in time is not made up for.
        self.due = self.due.fract() + rate * elapsed.min(Self::INTERVAL * 2).as_secs_f64();
        self.due as usize
    }

    fn grow(&mut self, rate: f64, elapsed: Duration) {
        if self.fell.elapsed() < Self::REST {
            return;
        }
        let growth = if self.untried {
            Self::FIRST_GROWTH
        } else if self.urgent.elapsed() < Duration::from_secs(1) {
            Self::GROWTH
        } else {
            Self::RECOVERY
        };
        self.rate = Some(rate * growth.powf(elapsed.as_secs_f64())).filter(|rate| *rate < Self::MOST);
    }

    /// How many others may be claimed within `span`.
    pub fn within(&self, span: Duration) -> usize {
        self.rate.map_or(usize::MAX, |rate| (rate * span.as_secs_f64()).ceil() as usize)
    }

    /// When [`Throttle::open`] lets the next through.
    pub fn next(&self) -> Option<Instant> {
        self.rate.map(|_| self.opened + Self::INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// What it lets through in a second of `took`-long claims of urgent tasks, one each 20 ms.
    async fn second(throttle: &mut Throttle, took: Option<Duration>) -> usize {
        let mut let_through = 0;
        for _ in 0..50 {
            advance(MS * 20).await;
            if let Some(took) = took {
                throttle.arrived(0.0);
                throttle.answered(took);
            }
            let_through = throttle.open().saturating_add(let_through);
        }
        let_through
    }

    #[tokio::test(start_paused = true)]
    async fn without_urgent_tasks_nothing_is_held_back() {
        let mut throttle = Throttle::new(MS * 4);
        assert_eq!((throttle.open(), throttle.within(MS), throttle.next()), (usize::MAX, usize::MAX, None));
    }

    #[tokio::test(start_paused = true)]
    async fn inv_4_others_yield_to_the_first_urgent_task_and_further_while_its_claims_are_slow() {
        let mut throttle = Throttle::new(MS * 4);
        throttle.answered(MS);
        throttle.arrived(20_000.0);
        assert_eq!(throttle.within(Duration::from_secs(1)), 5_000);
        let first = second(&mut throttle, Some(MS * 9)).await;
        let later = second(&mut throttle, Some(MS * 9)).await;
        assert!(first < 2_500 && later <= first, "{first}, then {later}");
        assert!((500..=520).contains(&later), "a few always get through, not {later}");
    }

    #[tokio::test(start_paused = true)]
    async fn others_that_come_with_the_first_urgent_task_to_an_idle_worker_do_not_wait() {
        let mut throttle = Throttle::new(MS * 4);
        throttle.arrived(0.0);
        let first = second(&mut throttle, Some(MS)).await;
        assert!(first > 4_000, "{first}");
    }

    #[tokio::test(start_paused = true)]
    async fn brisk_claims_let_the_others_back_in() {
        let mut throttle = Throttle::new(MS * 4);
        throttle.answered(MS);
        throttle.arrived(20_000.0);
        second(&mut throttle, Some(MS * 9)).await;
        let slow = second(&mut throttle, Some(MS * 9)).await;
        let brisk = second(&mut throttle, Some(MS)).await;
        let brisker = second(&mut throttle, Some(MS * 3)).await;
        assert!(slow < brisk && brisk < brisker, "{slow}, {brisk}, {brisker}");
    }

    #[tokio::test(start_paused = true)]
    async fn far_servers_are_not_slow_ones() {
        let mut throttle = Throttle::new(MS * 4);
        throttle.arrived(4_000.0);
        let first = second(&mut throttle, Some(MS * 30)).await;
        assert!(second(&mut throttle, Some(MS * 60)).await > first);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_last_urgent_task_all_is_as_before() {
        let mut throttle = Throttle::new(MS * 4);
        throttle.arrived(20_000.0);
        second(&mut throttle, Some(MS * 2)).await;
        second(&mut throttle, Some(MS * 20)).await;
        for _ in 0..15 {
            second(&mut throttle, None).await;
        }
        assert_eq!(throttle.open(), usize::MAX);
    }
}
