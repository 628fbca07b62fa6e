//! The search for a task that kills, as in a group test, where no more is known of the tasks than when they
//! started.

use std::{collections::HashMap, time::Duration};

use super::{ALONE, BUDGET, Consequence, Member, QUICK, STEP, Suspicion, WHOLE, steps};
use crate::task::TaskId;

/// What a worker needs to start, and somewhat more.
const RISE: Duration = Duration::from_millis(750);

/// How many batches suspects make at least, once they may have to wait for longer.
const BATCHES: usize = 2;

/// One consequence for each task of a dead worker, of which no more is known than when it started.
pub(super) fn search(group: &[Member]) -> Vec<Consequence> {
    let Some(test) = GroupTest::of(group) else {
        let share = WHOLE / group.len().max(1) as u32;
        let alike = |member: &Member| member.consequence(member.suspicion, share, Duration::ZERO);
        return group.iter().map(alike).collect();
    };
    group.iter().map(|member| test.consequence(member)).collect()
}

/// What a death tells of tasks that died before.
pub(super) struct GroupTest {
    /// Some had only just started: then it was one of them. Else it was one of those that died most often,
    /// or a new one.
    pub(super) young: bool,
    /// How many died before.
    pub(super) known: u32,
    /// How many did not.
    pub(super) new: u32,
    /// Of the tasks that may have done it, those that were in the greatest doubt before: they start first, in
    /// an order that is another one each time.
    pub(super) ranks: HashMap<TaskId, usize>,
    /// Between the starts of two batches, so that the next death falls into the time of the one that is to
    /// blame: twice as long as it took this time.
    pub(super) apart: Duration,
    /// How many batches the suspects make.
    pub(super) batches: usize,
    /// How often that one died that died most often.
    pub(super) most: u32,
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

    pub(super) fn ranks(mut suspects: Vec<&Member>) -> HashMap<TaskId, usize> {
        suspects.sort_by_cached_key(|member| member.draw());
        suspects.iter().enumerate().map(|(rank, member)| (member.id, rank)).collect()
    }

    pub(super) fn consequence(&self, member: &Member) -> Consequence {
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
