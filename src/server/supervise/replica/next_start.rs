//! When the next worker of a replica starts.
//!
//! Guarantees: the status shows what is waited for, and an alert is raised where the restart policy holds a
//! worker back. Never does: start a worker.

use std::time::Duration;

use tokio::time::Instant;

use super::Replica;
use crate::supervise::{
    recycle::Reason,
    replicas::Waiting,
    restart::{Death, NextStart, WaitReason},
    supervisor::Supervisor,
};
use clawpool_core::task::ProcessId;
use clawpool_engine::alert::Event;

impl Supervisor {
    /// Asks the restart policy.
    pub(super) async fn decide_restart(&self, replica: &mut Replica, death: Death) -> NextStart {
        let next_start = replica.history.after(death, Instant::now(), &mut rand::rng());
        let event = event(next_start);
        let why = why(next_start);
        let until = match next_start {
            NextStart::After(wait, _) => Some(Instant::now() + wait),
            NextStart::Held | NextStart::Never => None,
        };
        let shown = event.map_or_else(|| why.to_owned(), |event| format!("{}: {why}", event.code()));
        self.lock_replicas().set_waiting(replica.number, Waiting { why: shown, until });
        if let Some(event) = event {
            self.alert(event, &text(next_start)).await;
        }
        next_start
    }

    /// Adds a replica for the successor of a healthy worker that leaves.
    pub(super) async fn start_successor(&self, replica: &mut Replica, worker: ProcessId, reason: &Reason) {
        // It counts as a restart, so that a worker that exceeds its limit at once is not replaced in a storm.
        let death = Death { lived: None, registered: true, busy: true };
        let next_start = match replica.history.clone().after(death, Instant::now(), &mut rand::rng()) {
            NextStart::After(_, WaitReason::Policy) | NextStart::Held | NextStart::Never => {
                NextStart::After(Duration::ZERO, WaitReason::Policy)
            }
            limited => limited,
        };
        let mut history = replica.history.clone();
        let _ = history.after(death, Instant::now(), &mut rand::rng());
        replica.controls.leave.cancel();
        self.add(history, next_start);
        self.note_restart(worker);
        self.alert(reason.event, &format!("worker {worker} leaves and is replaced: {}", reason.text)).await;
    }
}

const fn event(next_start: NextStart) -> Option<Event> {
    match next_start {
        NextStart::After(_, WaitReason::Policy) => None,
        NextStart::After(_, WaitReason::Limit) => Some(Event::RestartLimit),
        NextStart::After(_, WaitReason::Breaker) => Some(Event::RestartBreaker),
        NextStart::Held => Some(Event::RestartHeld),
        NextStart::Never => Some(Event::NotReplaced),
    }
}

const fn why(next_start: NextStart) -> &'static str {
    match next_start {
        NextStart::After(_, WaitReason::Policy) => "a worker died",
        NextStart::After(_, WaitReason::Limit) => "a worker died too often",
        NextStart::After(_, WaitReason::Breaker) => "a worker fails at its start",
        NextStart::Held => "a worker died and waits for `clawpool workers restart`",
        NextStart::Never => "a worker died; the pool's policy replaces none",
    }
}

fn text(next_start: NextStart) -> String {
    let why = why(next_start);
    match next_start {
        NextStart::After(wait, WaitReason::Limit) => format!("{why}: the next one starts in {wait:.0?}"),
        NextStart::After(wait, WaitReason::Breaker) => format!("{why}: the next try is in {wait:.0?}"),
        _ => why.to_owned(),
    }
}
