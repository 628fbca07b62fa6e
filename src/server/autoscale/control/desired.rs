use clawpool_core::{
    config::Autoscale,
    scaling::{Action, Decision},
};
use clawpool_engine::client::{Cause, Manual};

/// The size that a pool should have, after policies and operators' requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DesiredSize {
    pub(super) wanted: u32,
    pub(super) cause: Cause,
    /// The emergency.
    pub(super) replace: bool,
}

/// What operators and the former leader asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SizeRequests {
    pub(super) manual: Option<Manual>,
    pub(super) paused: bool,
    /// The size that the former leader had reached.
    pub(super) inherited: Option<u32>,
}

impl DesiredSize {
    /// An operator's size goes before a pause, that before the policies; none of them goes beyond the pool's
    /// bounds or the machine's memory, and while too little is known none shrinks.
    pub(super) fn new(settings: &Autoscale, decision: &Decision, requests: SizeRequests) -> Self {
        let reading = &decision.reading;
        let room =
            reading.headroom.map_or(u32::MAX, |headroom| reading.size.saturating_add(headroom.workers()));
        let within = |size: u32| size.clamp(settings.min, settings.max).min(room.max(reading.size));
        let inherited = requests.inherited.map(within);
        let (wanted, cause) = match (requests.manual, inherited) {
            (Some(manual), _) => (within(manual.size), Cause::Manual),
            (None, Some(before)) if before > decision.wanted.max(reading.size) => (before, Cause::Takeover),
            _ if requests.paused => (reading.size, Cause::Paused),
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
