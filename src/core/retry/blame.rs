//! Who answers for a worker's death, and when those start again who ran in it.
//!
//! A worker that dies takes all its tasks along, and does not say which of them killed it. So its death is
//! shared out: one whole for a task that ran alone, a part for each of many. Those who died before share it
//! among themselves; a task is poison when it bears more than all the deaths but one that it is allowed, by
//! itself with its third. A bystander of one poison task bears at most half of each death; of several, this
//! keeps it alive as a rule, and is not proved.
//!
//! Doubt closes in on the one that kills, as in a group test. After a first death all start again at once.
//! After another one those who had only just started begin first, in batches so far apart that the next death
//! tells them apart, and the rest after them: all of it within [`BUDGET`]. The batches become smaller with
//! each death. A task that is alone in doubt begins in a worker that runs no other one that died before, so
//! that a death is its own. Where a task kills long after its start, the batches wait for longer, once
//! [`QUICK`] deaths have been seen.
//!
//! Nothing has to be searched for where it was seen whose future was being polled as the worker died: see
//! [`polled`].

mod polled;

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use self::polled::Polled;
pub use self::polled::{WATCHED, share_blame};
use crate::task::{TaskId, Timestamp};

/// All have been started again by then, in the usual case.
const BUDGET: Duration = Duration::from_millis(1500);

/// What a worker needs to start, and somewhat more.
const RISE: Duration = Duration::from_millis(750);

/// Deaths after which suspects may have to wait for longer, and how many batches they then make at least.
const QUICK: u32 = 5;
const BATCHES: usize = 2;

/// Windows are counted in these, from one to this many.
const STEP: Duration = Duration::from_millis(250);
const LONGEST: u8 = 120;

/// How long past its time a task waits for its batch's turn in a worker, and for a worker of its own.
const TURN: Duration = Duration::from_millis(500);
pub const PATIENCE: Duration = Duration::from_millis(750);

/// One death, as blame.
const WHOLE: u32 = 64;

/// The doubt in which one task is alone.
const ALONE: u8 = 15;

/// What a task's record remembers of the workers that died with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Suspicion {
    pub crashes: u32,
    /// Its part in them, in parts of [`WHOLE`]: what it is judged by.
    blame: u32,
    /// How far the search for a poison task has closed in on it: who starts first, and nothing else.
    doubt: u8,
    /// Steps after its start in which it is the first one to be suspected.
    window: u8,
    polled: Polled,
}

/// A task that a dead worker ran, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    pub id: TaskId,
    pub age: Duration,
    pub suspicion: Suspicion,
}

/// What comes of a death for one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consequence {
    pub suspicion: Suspicion,
    /// It may start again so long after its worker's death.
    pub wait: Duration,
}

/// A task that a worker runs, or is to run, and that died with others before.
#[derive(Clone, Copy, Debug)]
pub struct Suspect {
    pub suspicion: Suspicion,
    /// When it was to start again.
    pub due: Timestamp,
    /// When it did.
    pub started: Timestamp,
}

impl Suspicion {
    /// Whether it bears more than all the deaths but one that it is allowed.
    pub const fn is_poison(self, limit: u32) -> bool {
        self.blame > Self::bearable(limit)
    }

    /// The most blame with which a task is not poison.
    pub const fn bearable(limit: u32) -> u32 {
        let most = if limit > 60 { 60 } else { limit };
        WHOLE * most.saturating_sub(1)
    }

    fn window(self) -> Duration {
        STEP * u32::from(self.window.max(1))
    }

    /// The search has closed in on it alone.
    pub const fn is_alone(self) -> bool {
        self.doubt == ALONE && self.crashes > 1
    }

    /// How far from others it begins in the same worker. Zero: it does not matter. After one death all start
    /// at once, and at first they do so also where their window is longer than they may wait.
    pub fn apart(self) -> Duration {
        let window = self.window();
        let matters = self.crashes > QUICK || self.crashes > 1 && window <= BUDGET;
        if matters { window } else { Duration::ZERO }
    }

    /// One number for a store, beside the crashes: eight bits of what was seen, eight of window, four of
    /// doubt, the rest blame.
    pub fn packed(self) -> u32 {
        u32::from(self.polled.packed())
            | u32::from(self.window) << 8
            | u32::from(self.doubt.min(ALONE)) << 16
            | self.blame.min(0xfff) << 20
    }

    pub const fn unpacked(crashes: u32, number: u32) -> Self {
        let (window, doubt) = ((number >> 8) as u8, (number >> 16) as u8 & ALONE);
        Self { crashes, blame: number >> 20, doubt, window, polled: Polled::unpacked(number as u8) }
    }
}

/// When a worker died whose death is told now: at its last beat, where it has been silent for longer than the
/// living are.
pub fn died_at(now: Timestamp, beat: Timestamp, quiet: Duration) -> Timestamp {
    if now.since(beat) > quiet { beat } else { now }
}

/// How long a task that is due has yet to wait before it may start in the worker that asks for it: those who
/// were to start apart do. `alone` waits for a worker of its own, if one does.
pub fn hold(
    suspicion: Suspicion,
    due: Timestamp,
    now: Timestamp,
    there: &[Suspect],
    alone: bool,
) -> Option<Duration> {
    let overdue = now.since(due);
    let unfit = if suspicion.is_alone() { !there.is_empty() } else { alone && there.is_empty() };
    if unfit && overdue < PATIENCE {
        return Some(STEP / 2);
    }
    let meets = |other: &&Suspect| {
        let between = Duration::from_millis(other.due.as_millis().abs_diff(due.as_millis()));
        other.suspicion.is_alone() || overdue < TURN && between >= suspicion.apart()
    };
    let wait = |other: &Suspect| (other.started + other.suspicion.apart()).since(now);
    there.iter().filter(meets).map(wait).max().filter(|wait| !wait.is_zero())
}

/// One consequence for each task of a dead worker, of which no more is known than when it started.
fn search(group: &[Member]) -> Vec<Consequence> {
    let Some(test) = GroupTest::of(group) else {
        let share = WHOLE / group.len().max(1) as u32;
        let alike = |member: &Member| member.consequence(member.suspicion, share, Duration::ZERO);
        return group.iter().map(alike).collect();
    };
    group.iter().map(|member| test.consequence(member)).collect()
}

/// What a death tells of tasks that died before.
struct GroupTest {
    /// Some had only just started: then it was one of them. Else it was one of those who died most often, or
    /// a new one.
    young: bool,
    /// How many died before, and how many did not.
    known: u32,
    new: u32,
    /// Of those who may have done it, the ones that were in the greatest doubt before: they start first, in
    /// an order that is another one each time.
    ranks: HashMap<TaskId, usize>,
    /// Between the starts of two batches, so that the next death falls into the time of the one that is to
    /// blame: twice as long as it took this time.
    apart: Duration,
    batches: usize,
    most: u32,
}

impl GroupTest {
    fn of(group: &[Member]) -> Option<Self> {
        let known = || group.iter().filter(|member| member.is_known());
        let most = known().map(|member| member.suspicion.crashes).max()?;
        let young = known().any(Member::is_young);
        let blamed: Vec<&Member> = known().filter(|member| member.may_have(young, most)).collect();
        let doubt = blamed.iter().map(|member| member.suspicion.doubt).max().unwrap_or_default();
        let doubted = |member: &&Member| !young || member.suspicion.doubt + 1 >= doubt;
        let suspects: Vec<&Member> = blamed.iter().copied().filter(doubted).collect();
        let took = suspects.iter().map(|member| member.age).min().unwrap_or_default();
        let before = suspects.iter().map(|member| member.suspicion.window / 2).max().unwrap_or_default();
        let apart = STEP * u32::from(steps(took * 2).max(before));
        let within = (BUDGET.as_millis() / apart.as_millis()) as usize;
        let least = if most >= QUICK { BATCHES } else { 1 };
        Some(Self {
            young,
            known: known().count() as u32,
            new: (group.len() - known().count()) as u32,
            batches: within.max(least).min(suspects.len()),
            ranks: Self::ranks(suspects),
            apart,
            most,
        })
    }

    fn ranks(mut suspects: Vec<&Member>) -> HashMap<TaskId, usize> {
        suspects.sort_by_cached_key(|member| member.draw());
        suspects.iter().enumerate().map(|(rank, member)| (member.id, rank)).collect()
    }

    fn consequence(&self, member: &Member) -> Consequence {
        let certain = self.young || self.new == 0;
        let share = match (member.is_known(), certain) {
            (true, true) => WHOLE / self.known,
            (true, false) => WHOLE / 2 / self.known,
            (false, true) => 0,
            (false, false) => WHOLE / 2 / self.new,
        };
        let mut after = Suspicion { window: steps(self.apart), ..member.suspicion };
        let rank = self.ranks.get(&member.id);
        if rank.is_some() {
            let size = self.ranks.len().ilog2() as u8;
            after.doubt = after.doubt.max(ALONE.saturating_sub(size));
        } else if self.young && !member.is_young() {
            // It has lived through what another one has not.
            after.doubt = 0;
        }
        member.consequence(after, share, rank.map_or(self.rest(), |rank| self.wait(*rank)))
    }

    fn wait(&self, rank: usize) -> Duration {
        self.apart * (rank * self.batches / self.ranks.len()) as u32
    }

    /// How long all others wait.
    fn rest(&self) -> Duration {
        let longest = if self.most >= QUICK { self.apart.max(BUDGET) } else { BUDGET };
        match (self.ranks.len(), self.batches) {
            // Until a new worker has had the time to take it, and it to prove itself.
            (1, _) => (self.apart + RISE).min(longest),
            // It would not become smaller by their waiting.
            (_, 1) => Duration::ZERO,
            _ => (self.apart * self.batches as u32).min(longest),
        }
    }
}

fn steps(span: Duration) -> u8 {
    let steps = span.as_millis().div_ceil(STEP.as_millis());
    u8::try_from(steps).unwrap_or(LONGEST).clamp(1, LONGEST)
}

impl Member {
    /// It has been through a death before.
    const fn is_known(&self) -> bool {
        self.suspicion.crashes > 0
    }

    fn is_young(&self) -> bool {
        self.age <= self.suspicion.window()
    }

    fn may_have(&self, young: bool, most: u32) -> bool {
        if young { self.is_young() } else { self.suspicion.crashes == most }
    }

    fn draw(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.id.as_bytes(), self.suspicion.crashes).hash(&mut hasher);
        hasher.finish()
    }

    const fn consequence(&self, after: Suspicion, share: u32, wait: Duration) -> Consequence {
        let (crashes, blame) = (after.crashes.saturating_add(1), after.blame.saturating_add(share));
        Consequence { suspicion: Suspicion { crashes, blame, ..after }, wait }
    }
}

#[cfg(test)]
mod tests;
