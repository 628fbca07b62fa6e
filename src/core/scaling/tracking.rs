use std::{collections::VecDeque, time::Duration};

use super::{Queues, Reading};
use crate::config::Target;

/// The size at which the pool keeps up with so many per cent of its slots in use: arrivals and backlog, each
/// times the service time, over these slots.
///
/// Before the first task has finished there is no service time; then what is in flight and waiting is what
/// needs slots.
pub(super) fn needed(queues: &Queues, slots: u16, busy: f64, drain: Duration) -> u32 {
    let per_worker = f64::from(slots.max(1)) * busy / 100.0;
    let concurrent = match queues.service {
        Some(service) => {
            let drain = drain.as_secs_f64().max(f64::EPSILON);
            (queues.arrivals + queues.ready as f64 / drain) * service.as_secs_f64()
        }
        None => (queues.ready + queues.in_flight) as f64,
    };
    // Saturates.
    (concurrent / per_worker).ceil() as u32
}

/// What the pool needed over the last while: it shrinks to the largest of it, so that one quiet minute is no
/// reason. And it shrinks only to a size with some slack, so that chance does not make it grow again at once.
/// A single worker too many stays longer: the pool lies between two sizes then, and the smaller of them must
/// have been enough for some time.
pub(super) struct Tracking {
    settle: Duration,
    lately: Highest,
    longer: Highest,
    known_since: Option<Duration>,
}

/// Settling times that a single worker too many stays.
const SINGLE: u32 = 3;

/// What tracking asks for.
pub(super) struct Track {
    pub(super) need: u32,
    /// The size down to which the pool may shrink.
    pub(super) floor: Option<u32>,
}

impl Tracking {
    pub(super) const fn new(settle: Duration) -> Self {
        let longer = settle.saturating_mul(SINGLE);
        Self { settle, lately: Highest::new(settle), longer: Highest::new(longer), known_since: None }
    }

    pub(super) fn look(
        &mut self,
        now: Duration,
        reading: &Reading,
        slots: u16,
        target: &Target,
    ) -> Option<Track> {
        let Some(queues) = reading.queues.as_ref().filter(|queues| queues.is_sound()) else {
            // After a gap, the whole settling time has to be seen again.
            *self = Self::new(self.settle);
            return None;
        };
        let waited = if queues.oldest > target.wait { reading.size.saturating_add(1) } else { 0 };
        let need = needed(queues, slots, target.busy, target.drain).max(waited);
        let roomy = needed(queues, slots, target.busy - target.slack, target.drain).max(waited);
        let known = now.saturating_sub(*self.known_since.get_or_insert(now));
        let lately = self.lately.with(now, roomy);
        let longer = self.longer.with(now, roomy);
        let (floor, settle) = if reading.size > lately.saturating_add(1) {
            (lately, self.settle)
        } else {
            (longer, self.longer.span)
        };
        Some(Track { need, floor: (known >= settle).then_some(floor) })
    }
}

/// The largest of the needs within a span of time.
struct Highest {
    span: Duration,
    /// Times and needs, the needs falling: an entry that a later, larger one follows can never be the largest
    /// again.
    needs: VecDeque<(Duration, u32)>,
}

impl Highest {
    const fn new(span: Duration) -> Self {
        Self { span, needs: VecDeque::new() }
    }

    /// With one more.
    fn with(&mut self, now: Duration, need: u32) -> u32 {
        while self.needs.back().is_some_and(|(_, older)| *older <= need) {
            self.needs.pop_back();
        }
        self.needs.push_back((now, need));
        while self.needs.front().is_some_and(|(at, _)| now.saturating_sub(*at) > self.span) {
            self.needs.pop_front();
        }
        self.needs.front().map_or(need, |(_, need)| *need)
    }
}
