//! Which tasks' futures were being polled as their worker died: that of a task that aborts or overflows its
//! stack in its own code was.
//!
//! Only tasks that a worker died with before are watched, so a first death is shared by all. At each other
//! one the tasks bear it that were polled then and at every death since they are watched, and all others bear
//! nothing. Is it one, they start again at once; are there several, these begin one after the other, so that
//! the next death tells them apart, and the others after them. A task that waits for something is polled by
//! chance now and then, hardly twice, and no mark is left of one that is polled most of the time. So a task
//! that is the only one, for the second time and after it had begun by itself, has its first death on it as
//! well: it is poison with as many deaths as if it had run alone.
//!
//! Where none is left that was polled every time, the one that kills does it from elsewhere (a thread, a
//! blocking call), and it is searched for. What a task was once seen not to do in its poll it is not
//! suspected of there any more.

use std::time::Duration;

use super::{BUDGET, Consequence, GroupTest, Member, STEP, Suspicion, WHOLE, search};
use crate::task::TaskId;

/// Being polled tells nothing of a task that is polled for so long at a time, or for so long in all and then
/// most of the time: it would be at any death. Shorter than [`STEP`]: tasks that begin one after the
/// other are watched alone.
pub const WATCHED: Duration = Duration::from_millis(200);

/// Longer than that: a task that starts first, and is busy then, is not watched any more by the time that one
/// of all others kills.
const ALONE_FOR: Duration = STEP.saturating_mul(2);

/// Of a task, at the deaths at which it could be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Polled {
    /// It was not polled at one of them.
    missed: bool,
    /// It was so often, before it was missed.
    times: u8,
}

const MISSED: u8 = 1;
const MOST: u8 = 15;

impl Polled {
    pub const fn packed(self) -> u8 {
        let times = if self.times > MOST { MOST } else { self.times };
        (self.missed as u8 * MISSED) | (times << 1)
    }

    pub const fn unpacked(bits: u8) -> Self {
        Self { missed: bits & MISSED == MISSED, times: bits >> 1 & MOST }
    }

    const fn after(self, polled: bool) -> Self {
        match self {
            Self { missed: false, times } if polled => Self { missed: false, times: times.saturating_add(1) },
            Self { times, .. } => Self { missed: true, times },
        }
    }
}

/// One consequence for each task that a dead worker ran. `polled`: the tasks whose futures were being polled,
/// of those that died before; none where that could not be seen, or where the worker was killed from outside.
pub fn share_blame(group: &[Member], polled: Option<&[TaskId]>) -> Vec<Consequence> {
    let Some(polled) = polled else { return search(group) };
    let seen: Vec<Member> = group.iter().map(|member| member.seen(polled.contains(&member.id))).collect();
    let suspects: Vec<&Member> = seen.iter().filter(|member| member.is_always_polled()).collect();
    let count = suspects.len();
    if count == 0 {
        return search(&seen);
    }
    let test = GroupTest::of_polled(suspects);
    let wait = test.rest_of_polled();
    // One that began together with others may have been polled because of that.
    let began_apart =
        seen.iter().all(|member| member.is_always_polled() || !member.is_known() || member.age >= STEP);
    let consequence = |member: &Member| match (member.is_always_polled(), count) {
        (true, 1) if began_apart => test.consequence(member).with_the_first(),
        (true, _) => test.consequence(member),
        (false, _) => member.cleared(wait),
    };
    seen.iter().map(consequence).collect()
}

impl GroupTest {
    /// The next death tells them apart however long it takes, if only they do not begin at the same moment.
    fn of_polled(suspects: Vec<&Member>) -> Self {
        let count = suspects.len();
        Self {
            young: true,
            known: count as u32,
            new: 0,
            batches: count.min((BUDGET.as_millis() / STEP.as_millis()) as usize),
            most: suspects.iter().map(|member| member.suspicion.crashes).max().unwrap_or_default(),
            apart: if count == 1 { ALONE_FOR } else { STEP },
            ranks: Self::ranks(suspects),
        }
    }

    /// One that is alone in doubt starts in a worker of its own. Several go first.
    fn rest_of_polled(&self) -> Duration {
        if self.batches == 1 { Duration::ZERO } else { STEP * (self.batches as u32 - 1) + ALONE_FOR }
    }
}

impl Member {
    fn seen(&self, polled: bool) -> Self {
        let mut seen = *self;
        if self.is_known() {
            seen.suspicion.polled = self.suspicion.polled.after(polled);
        }
        seen
    }

    /// At each death at which it could be seen, this one included.
    const fn is_always_polled(&self) -> bool {
        self.is_known() && !self.suspicion.polled.missed && self.suspicion.polled.times > 0
    }

    /// It was another one.
    const fn cleared(&self, wait: Duration) -> Consequence {
        self.consequence(Suspicion { doubt: 0, ..self.suspicion }, 0, wait)
    }
}

impl Consequence {
    /// Seen for the second time: then the death before the first of them, at which no task could be seen, is
    /// its own.
    fn with_the_first(mut self) -> Self {
        let times = u32::from(self.suspicion.polled.times);
        if times > 1 {
            self.suspicion.blame = self.suspicion.blame.max(WHOLE * (times + 1));
        }
        self
    }
}
