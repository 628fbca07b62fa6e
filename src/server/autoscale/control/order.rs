use clawpool_core::{
    config::Autoscale,
    scaling::{Action, Decision},
};
use clawpool_engine::client::{Cause, Manual};

/// What is to be done with a pool, after policies and operators have spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) wanted: u32,
    pub(super) cause: Cause,
    /// The emergency.
    pub(super) replace: bool,
}

/// What the operators and the leader before want.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) manual: Option<Manual>,
    pub(super) paused: bool,
    /// The size that the leader before had reached.
    pub(super) inherited: Option<u32>,
}

impl Order {
    /// An operator's size goes before a pause, that before the policies; none of them goes beyond the pool's bounds or
    /// the machine's memory, and while too little is known none shrinks.
    pub(super) fn new(settings: &Autoscale, decision: &Decision, wishes: Wanted) -> Self {
        let reading = &decision.reading;
        let room = reading.headroom.map_or(u32::MAX, |headroom| reading.size.saturating_add(headroom.workers()));
        let within = |size: u32| size.clamp(settings.min, settings.max).min(room.max(reading.size));
        let inherited = wishes.inherited.map(within);
        let (wanted, cause) = match (wishes.manual, inherited) {
            (Some(manual), _) => (within(manual.size), Cause::Manual),
            (None, Some(before)) if before > decision.wanted.max(reading.size) => (before, Cause::Takeover),
            _ if wishes.paused => (reading.size, Cause::Paused),
            _ => (decision.wanted, Cause::Policies),
        };
        let blind = reading.queues.is_none() || reading.workers.is_none();
        if blind && wanted < reading.size {
            return Self { wanted: reading.size, cause: Cause::Unknown, replace: false };
        }
        let replace = decision.action == Action::ReplaceAll && cause == Cause::Policies;
        Self { wanted, cause, replace }
    }

    pub(super) const fn changes(&self, size: u32) -> bool {
        self.replace || self.wanted != size
    }
}
