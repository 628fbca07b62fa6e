//! Which workers have fallen silent, judged by the supervisor's own observations: no clock is compared with another.

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use tokio::{sync::watch, time::MissedTickBehavior};

use crate::{store::WorkerStore, task::WorkerId};

/// One look at the registry: the beats that each worker had sent. `None` when the store did not answer, which says nothing
/// about any worker.
pub(super) type Look = Option<Arc<HashMap<WorkerId, u64>>>;

/// Looks once a lease for as long as the returned future is polled.
pub(super) async fn observe<S: WorkerStore + ?Sized>(
    store: &S,
    lease: Duration,
    looks: &watch::Sender<Look>,
) -> Infallible {
    let mut ticks = tokio::time::interval(lease.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let look =
            store.workers().await.map(|workers| workers.iter().map(|info| (info.beat.worker, info.beats)).collect());
        looks.send_replace(look.ok().map(Arc::new));
    }
}

/// What the looks say of one worker.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    beats: Option<u64>,
    silent: u32,
}

impl Pulse {
    /// A look that finds no new beat begins the silence; three more make three leases of it.
    const HUNG: u32 = 4;
    /// A worker registers before it does anything else, but its program may take its time to start.
    const NEVER_BEAT: u32 = 20;

    /// Whether the worker hangs.
    pub(super) fn hangs(&mut self, worker: WorkerId, look: &Look) -> bool {
        let Some(look) = look else {
            // While the store is away nobody can beat.
            self.silent = 0;
            return false;
        };
        let beats = look.get(&worker).copied();
        if beats.is_some() && beats != self.beats {
            self.beats = beats;
            self.silent = 0;
        }
        self.silent += 1;
        self.silent >= if self.beats.is_some() { Self::HUNG } else { Self::NEVER_BEAT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(worker: WorkerId, beats: u64) -> Look {
        Some(Arc::new([(worker, beats)].into()))
    }

    #[test]
    fn three_leases_of_silence_mean_hung() {
        let worker = WorkerId::new();
        let mut pulse = Pulse::default();
        let looks = [1, 2, 2, 2, 3, 3, 3].map(|beats| pulse.hangs(worker, &look(worker, beats)));
        assert_eq!(looks, [false; 7]);
        assert!(pulse.hangs(worker, &look(worker, 3)));
    }

    #[test]
    fn an_absent_store_accuses_nobody() {
        let worker = WorkerId::new();
        let mut pulse = Pulse::default();
        for _ in 0..100 {
            assert!(!pulse.hangs(worker, &look(worker, 1)));
            assert!(!pulse.hangs(worker, &look(worker, 1)));
            assert!(!pulse.hangs(worker, &None));
        }
    }

    #[test]
    fn a_worker_that_never_registers_hangs_too() {
        let nobody = Some(Arc::default());
        let mut pulse = Pulse::default();
        let looks = (0..30).position(|_| pulse.hangs(WorkerId::new(), &nobody));
        assert_eq!(looks, Some(19));
    }
}
