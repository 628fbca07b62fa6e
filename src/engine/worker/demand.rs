//! What the sources are asked for: as much as the free slots can use, and no more.

use tokio::{sync::watch, time::Instant};

use super::{engine::Engine, puller::Order, stop::Phase, throttle::Throttle};
use clawpool_backends::path::Wants;
use clawpool_core::task::Queue;

/// What one source is asked for. P0 and P1 have a source of their own, so that they wait for no larger call
/// of others.
pub(super) struct SourceOrders {
    pub queues: Vec<Queue>,
    pub is_critical: bool,
    /// Nothing is ready there.
    pub is_idle: bool,
    orders: Option<watch::Sender<Order>>,
    /// The last one that was answered.
    answered: u64,
}

impl SourceOrders {
    pub fn new(queues: Vec<Queue>, is_critical: bool) -> (Self, watch::Receiver<Order>) {
        let (orders, receiver) = watch::channel(Order::default());
        (Self { queues, is_critical, is_idle: false, orders: Some(orders), answered: 0 }, receiver)
    }

    /// It brought tasks. With `is_all`, no more are ready.
    pub fn answered(&mut self, is_all: bool) {
        self.is_idle = is_all;
        self.answered += 1;
    }

    /// Nothing is asked for any more.
    pub fn close(&mut self) {
        self.orders = None;
    }

    fn set(&self, wants: Wants) {
        let order = Order { turn: self.answered + 1, wants };
        let Some(orders) = &self.orders else { return };
        orders.send_if_modified(|before| {
            let is_new = before.turn != order.turn || before.wants != order.wants;
            *before = order;
            is_new
        });
    }
}

impl Engine {
    /// Fills the free slots and tells the sources what more is wanted. Called after each round of events.
    pub fn dispatch(&mut self) {
        self.start_all();
        if self.phase == Phase::Working {
            self.arbiter.set_ahead(self.throughput.claims(self.settings.slots.into()));
            self.set_wants();
        }
        let running = self.arbiter.running();
        self.vitals.set_running(running.map(|(queue, taken)| (queue, taken - self.run_queue.waiting(queue))));
    }

    fn set_wants(&mut self) {
        let settles = self.settles();
        let urgent_waits = self.urgent_waits();
        for number in 0..self.sources.len() {
            let source = &self.sources[number];
            let most = if !settles {
                0
            } else if source.is_critical {
                usize::MAX
            } else {
                let is_idle = source.is_idle;
                self.others_open(is_idle)
            };
            let source = &self.sources[number];
            let queues = source.queues.iter().copied().filter(|queue| !self.paused.contains(queue));
            let mut wants = self.arbiter.wants(queues, !urgent_waits, most);
            wants.ahead = self.throughput.ahead();
            if !source.is_critical
                && let Some(throttle) = &self.throttle
            {
                wants.ahead = wants.ahead.min(throttle.within(self.settings.hold / 2));
            }
            self.sources[number].set(wants);
        }
    }

    /// Whether tasks of P0 or P1 may be ready that this worker may run now.
    fn urgent_waits(&self) -> bool {
        let is_open = |queue: &Queue| !self.paused.contains(queue);
        let mut urgent = self.sources.iter().filter(|source| source.is_critical && !source.is_idle);
        urgent.any(|source| source.queues.iter().any(is_open))
    }

    /// Outcomes that cannot be settled hold up new starts, so that their number stays bounded.
    fn settles(&self) -> bool {
        self.outcomes.room() > 4 * usize::from(self.settings.slots)
    }

    /// How many others the throttle lets through now. Where none is ready, none has to be counted.
    fn others_open(&mut self, is_idle: bool) -> usize {
        let Some(throttle) = &mut self.throttle else { return usize::MAX };
        if is_idle {
            return throttle.within(Throttle::INTERVAL).max(1);
        }
        let opened = throttle.open();
        if opened > 0 {
            self.let_through = opened;
        }
        self.let_through
    }

    /// When the throttle lets others through. None while something else keeps them: the engine would wake for
    /// nothing.
    pub(super) fn next_opening(&self) -> Option<Instant> {
        let throttle = self.throttle.as_ref().filter(|_| self.phase == Phase::Working)?;
        let waits = |queue: &Queue| !self.paused.contains(queue) && self.arbiter.room(*queue) > 0;
        let mut others = self.sources.iter().filter(|source| !source.is_critical && !source.is_idle);
        let any = others.any(|source| source.queues.iter().any(waits));
        if self.settles() && any { throttle.next() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use tokio_util::sync::CancellationToken;

    use super::super::{identity::Identity, parts::Parts, settle::Outcomes};
    use crate::{process::Shutdown, worker::Registry};
    use clawpool_core::{
        config::Config,
        task::{ProcessId, Queue},
    };

    async fn parts(mut config: Config) -> (Parts, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        config.embedded.data = folder.path().to_owned();
        let stop = CancellationToken::new();
        let id = ProcessId::new();
        let parts =
            Parts::assemble(&config, Registry::default(), Identity::of_test(id), &stop).await.unwrap();
        (parts, folder)
    }

    #[tokio::test]
    async fn inv_4_p0_and_p1_hold_others_up_only_where_they_may_run() {
        let (mut parts, _folder) = parts(Config::default()).await;
        assert!(parts.engine.urgent_waits(), "nothing is known of them yet");
        parts.engine.paused = vec![Queue::P0, Queue::P1];
        assert!(!parts.engine.urgent_waits(), "both are paused");
        parts.dismantle(&Shutdown::default()).await;
    }

    #[tokio::test]
    async fn a_worker_without_p0_and_p1_waits_for_neither() {
        let mut config = Config::default();
        config.worker.queues = vec!["P4".parse().unwrap()];
        let (parts, _folder) = parts(config).await;
        assert!(!parts.engine.urgent_waits());
        parts.dismantle(&Shutdown::default()).await;
    }

    #[tokio::test]
    async fn the_engine_wakes_for_the_throttle_only_while_nothing_else_keeps_the_others() {
        let (mut parts, _folder) = parts(Config::default()).await;
        let engine = &mut parts.engine;
        let others = engine.sources.iter().position(|source| !source.is_critical).unwrap();
        assert_eq!(engine.next_opening(), None, "nothing is slowed");
        engine.throttle.as_mut().unwrap().arrived(0.0);
        assert!(engine.next_opening().is_some());
        engine.sources[others].is_idle = true;
        assert_eq!(engine.next_opening(), None, "the first of them wakes it");
        engine.sources[others].is_idle = false;
        let (full, _kept) = Outcomes::new(1);
        let outcomes = std::mem::replace(&mut engine.outcomes, full);
        assert_eq!(engine.next_opening(), None, "outcomes wait for the store");
        engine.outcomes = outcomes;
        engine.drain();
        assert_eq!(engine.next_opening(), None, "it takes nothing more");
        parts.dismantle(&Shutdown::default()).await;
    }
}
