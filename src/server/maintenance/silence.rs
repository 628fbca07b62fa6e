//! How long workers have been silent, and which of them are dead. Pure: the reaper reads and acts.
//!
//! Guarantees: a worker is dead after a whole lease of silence; or earlier, where its connection was seen
//! before, and was gone at two looks while it was silent. Silence is measured by the observer's own clock,
//! over a time in which it could hear. Never does: take a connection that was never seen for one that ended.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use clawpool_backends::store::WorkerInfo;
use clawpool_core::task::ProcessId;

/// A worker that is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silence {
    pub(super) worker: ProcessId,
    pub(super) lasted: Duration,
    /// The store still counts its lease as valid.
    pub(super) alive: bool,
}

/// When each worker's count of heartbeats was last seen to change, and what was seen of its connection.
pub(super) struct HeartbeatWatch {
    /// Of workers: how often they beat.
    heartbeat: Duration,
    heard: HashMap<ProcessId, Heard>,
    /// When the registry was read last.
    at: Option<Instant>,
    /// Nothing was heard for a while, whoever may have spoken.
    deaf: bool,
}

#[derive(Clone, Copy)]
struct Heard {
    beats: u64,
    since: Instant,
    lease: Duration,
    alive: bool,
    connection: Connection,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Connection {
    /// A worker that was not seen to beat yet.
    New,
    /// It beats, so it is connected: the time to see whether the store can show that.
    Unasked,
    /// The store cannot. The lease decides.
    Hidden,
    Seen,
    /// It was seen before, and was gone at a look since then.
    Missing(Instant),
    /// And at another one.
    Ended,
}

use Connection::{Ended, Hidden, Missing, New, Seen, Unasked};

impl HeartbeatWatch {
    pub(super) fn new(heartbeat: Duration) -> Self {
        Self { heartbeat, heard: HashMap::new(), at: None, deaf: false }
    }

    /// What the registry says.
    pub(super) fn hear(&mut self, workers: &[WorkerInfo], now: Instant) {
        let known = std::mem::take(&mut self.heard);
        let deaf = std::mem::take(&mut self.deaf);
        // One that was not there a moment ago has just beaten for the first time.
        let newcomer = if deaf || self.at.is_none() { New } else { Unasked };
        self.at = Some(now);
        let heard = |info: &WorkerInfo| match known.get(&info.beat.worker) {
            Some(known) => known.then(info, deaf, now),
            None => Heard::first(info, newcomer, now),
        };
        self.heard = workers.iter().map(|info| (info.beat.worker, heard(info))).collect();
    }

    /// No silence counts that began before now: the observer could not hear, or nobody could speak.
    pub(super) const fn interrupt(&mut self) {
        self.deaf = true;
    }

    /// The shortest lease of those whose silence is longer than it should be. It is doubted well before it is
    /// death, however short the lease.
    pub(super) fn doubted(&self, now: Instant) -> Option<Duration> {
        let doubtful = |heard: &&Heard| heard.lasted(now) >= self.quiet().min(heard.lease / 2);
        let silent = self.heard.values().filter(doubtful);
        silent.map(|heard| heard.lease).min()
    }

    /// Those whose connections are worth a look.
    pub(super) fn unsure(&self, now: Instant) -> Vec<ProcessId> {
        let unsure = |heard: &Heard| match heard.connection {
            Unasked => true,
            Seen => heard.alive && heard.lasted(now) >= self.quiet(),
            Missing(since) => now.duration_since(since) >= self.apart(),
            New | Hidden | Ended => false,
        };
        let workers = self.heard.iter().filter(|(_, heard)| unsure(heard));
        workers.map(|(worker, _)| *worker).collect()
    }

    /// What a look at the connections of these workers has shown: `None`, nothing can be seen.
    pub(super) fn saw(&mut self, asked: &[ProcessId], connected: Option<&[ProcessId]>, now: Instant) {
        for worker in asked {
            if let Some(heard) = self.heard.get_mut(worker) {
                heard.connection = match (heard.connection, connected) {
                    (_, None) => Hidden,
                    (_, Some(connected)) if connected.contains(worker) => Seen,
                    (Seen, _) => Missing(now),
                    (Missing(_), _) => Ended,
                    _ => Hidden,
                }
            }
        }
    }

    pub(super) fn dead(&self, now: Instant) -> Vec<Silence> {
        let is_dead = |heard: &Heard| heard.connection == Ended || heard.lasted(now) >= heard.lease;
        let dead = self.heard.iter().filter(|(_, heard)| is_dead(heard));
        let silence = |(worker, heard): (&ProcessId, &Heard)| Silence {
            worker: *worker,
            lasted: heard.lasted(now),
            alive: heard.alive,
        };
        dead.map(silence).collect()
    }

    /// When the next look is worth something, where somebody is silent.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let at = self.at?;
        let looks = self.heard.values().filter_map(|heard| match heard.connection {
            Seen if heard.alive && heard.since < at => Some(heard.since + self.quiet()),
            Missing(since) => Some(since + self.apart()),
            _ => None,
        });
        looks.min()
    }

    /// Silence that a worker that lives does not keep, unless it is cut off, or stopped.
    fn quiet(&self) -> Duration {
        self.heartbeat.mul_f64(1.5)
    }

    /// Between the two looks at a connection: a worker that has lost its own beats over another one by then.
    fn apart(&self) -> Duration {
        self.heartbeat / 2
    }
}

impl Heard {
    const fn first(info: &WorkerInfo, connection: Connection, now: Instant) -> Self {
        Self { beats: info.beats, since: now, lease: info.beat.lease, alive: info.alive, connection }
    }

    fn then(&self, info: &WorkerInfo, deaf: bool, now: Instant) -> Self {
        let silent = self.beats == info.beats;
        match (deaf, silent) {
            // Another beat may be as old as the interruption.
            (true, _) => Self::first(info, self.connection.again(), now),
            (false, true) => Self { since: self.since, ..Self::first(info, self.connection, now) },
            (false, false) => Self::first(info, self.connection.beaten(), now),
        }
    }

    fn lasted(&self, now: Instant) -> Duration {
        now.duration_since(self.since)
    }
}

impl Connection {
    /// After another beat.
    fn beaten(self) -> Self {
        if self == New { Unasked } else { self.again() }
    }

    /// As before the silence.
    fn again(self) -> Self {
        if matches!(self, Missing(_) | Ended) { Seen } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_backends::store::testing::worker_info;

    const BEAT: Duration = Duration::from_millis(500);

    /// One worker, and the clock of who watches it.
    struct Watched {
        watch: HeartbeatWatch,
        worker: ProcessId,
        now: Instant,
    }

    impl Watched {
        fn new() -> Self {
            Self { watch: HeartbeatWatch::new(BEAT), worker: ProcessId::new(), now: Instant::now() }
        }

        /// One that beats and whose connection was seen.
        fn seen() -> Self {
            let mut watched = Self::new();
            assert_eq!(watched.after(0, 1, Some(true)), (false, false), "its first beat may be an old one");
            assert_eq!(watched.after(500, 2, Some(true)), (true, false));
            watched
        }

        /// Later its count of beats is this: whether a look was worth it, which shows this, and whether it is
        /// dead.
        fn after(&mut self, millis: u64, beats: u64, shown: Option<bool>) -> (bool, bool) {
            self.now += Duration::from_millis(millis);
            let watch = &mut self.watch;
            let now = self.now;
            watch.hear(&[worker_info("test", self.worker, beats)], now);
            let unsure = watch.unsure(now);
            let connected = shown.map(|shown| if shown { vec![self.worker] } else { Vec::new() });
            watch.saw(&unsure, connected.as_deref(), now);
            (!unsure.is_empty(), !watch.dead(now).is_empty())
        }
    }

    #[test]
    fn while_all_beat_connections_are_looked_at_once() {
        let mut watched = Watched::seen();
        for beats in 3..100 {
            assert_eq!(watched.after(500, beats, Some(true)), (false, false));
            assert_eq!(watched.watch.next_look(), None);
        }
    }

    #[test]
    fn a_newcomer_is_looked_at_with_its_first_beat() {
        let mut watched = Watched::new();
        watched.watch.hear(&[], watched.now);
        assert_eq!(watched.after(500, 1, Some(true)), (true, false));
        watched.watch.interrupt();
        watched.worker = ProcessId::new();
        assert_eq!(watched.after(500, 1, Some(true)), (false, false), "that beat may be an old one");
    }

    #[test]
    fn two_looks_without_a_connection_are_death() {
        let mut watched = Watched::seen();
        assert_eq!(watched.after(749, 2, Some(false)), (false, false));
        assert_eq!(watched.after(1, 2, Some(false)), (true, false));
        assert_eq!(watched.watch.next_look(), Some(watched.now + BEAT / 2));
        assert_eq!(watched.after(249, 2, Some(false)), (false, false), "too soon after the first");
        assert_eq!(watched.after(1, 2, Some(false)), (true, true));
        assert_eq!(watched.after(500, 2, Some(false)), (false, true), "it stays dead");
        assert_eq!(watched.after(500, 3, Some(true)), (false, false), "it was not");
    }

    #[test]
    fn one_that_is_connected_is_dead_after_a_whole_lease_of_silence() {
        let mut watched = Watched::seen();
        for _ in 0..5 {
            assert!(!watched.after(500, 2, Some(true)).1);
        }
        assert!(watched.after(500, 2, Some(true)).1);
    }

    #[test]
    fn a_beat_or_a_new_connection_between_the_looks_is_life() {
        let mut watched = Watched::seen();
        assert_eq!(watched.after(750, 2, Some(false)), (true, false));
        assert_eq!(watched.after(250, 3, Some(false)), (false, false));
        assert_eq!(watched.after(750, 3, Some(false)), (true, false), "the first look of another silence");
        assert_eq!(watched.after(250, 3, Some(true)), (true, false));
        assert_eq!(watched.after(250, 3, Some(false)), (true, false), "again the first one");
    }

    #[test]
    fn of_one_that_was_never_seen_connected_the_lease_decides() {
        for shown in [None, Some(false)] {
            let mut watched = Watched::new();
            watched.after(0, 1, shown);
            assert_eq!(watched.after(500, 2, shown), (true, false));
            for _ in 0..29 {
                assert_eq!(watched.after(100, 2, shown), (false, false));
            }
            assert_eq!(watched.after(100, 2, shown), (false, true));
        }
    }

    #[test]
    fn a_store_that_shows_no_connections_any_more_makes_no_worker_dead() {
        let mut watched = Watched::seen();
        assert_eq!(watched.after(750, 2, None), (true, false));
        assert_eq!(watched.after(250, 2, Some(false)), (false, false));
    }

    #[test]
    fn no_silence_counts_across_an_interruption() {
        let mut watched = Watched::seen();
        assert_eq!(watched.after(750, 2, Some(false)), (true, false));
        watched.watch.interrupt();
        assert_eq!(watched.after(10_000, 2, Some(false)), (false, false));
        assert_eq!(watched.after(749, 2, Some(false)), (false, false));
        assert_eq!(watched.after(1, 2, Some(false)), (true, false));
        assert_eq!(watched.after(250, 2, Some(false)), (true, true));
    }

    #[test]
    fn a_silence_is_doubted_before_a_lease_that_is_shorter_than_two_heartbeats_is_over() {
        let mut watched = Watched::seen();
        watched.watch.heartbeat = Duration::from_secs(3);
        assert!(!watched.after(1499, 2, Some(true)).1);
        assert_eq!(watched.watch.doubted(watched.now), None);
        assert!(!watched.after(1, 2, Some(true)).1, "half of its lease");
        assert_eq!(watched.watch.doubted(watched.now), Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_silence_of_one_and_a_half_heartbeats_is_doubted() {
        let mut watched = Watched::seen();
        watched.after(749, 2, Some(true));
        assert_eq!(watched.watch.doubted(watched.now), None);
        watched.after(1, 2, Some(true));
        assert_eq!(watched.watch.doubted(watched.now), Some(Duration::from_secs(3)));
        watched.after(1, 3, Some(true));
        assert_eq!(watched.watch.doubted(watched.now), None, "it has beaten");
    }

    #[test]
    fn only_the_silent_are_looked_at_before_the_next_round() {
        let quiet = ProcessId::new();
        let lively = ProcessId::new();
        let start = Instant::now();
        let mut watch = HeartbeatWatch::new(BEAT);
        let all = |beats| [worker_info("test", quiet, beats), worker_info("test", lively, beats)];
        for beats in 0..2 {
            watch.hear(&all(beats), start);
        }
        watch.saw(&[quiet, lively], Some(&[quiet, lively]), start);
        assert_eq!(watch.next_look(), None, "none has had the time to beat again");
        watch.hear(&[worker_info("test", quiet, 1), worker_info("test", lively, 2)], start + BEAT);
        assert_eq!(watch.next_look(), Some(start + BEAT * 3 / 2));
    }
}
