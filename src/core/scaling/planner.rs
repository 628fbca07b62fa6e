use std::time::Duration;

use super::{
    Action, Decision, Limit, Queues, Reading, Vote, limits::Past, needed, reading::Way, table::Row,
    tracking::Tracking,
};
use crate::config::{Autoscale, ForecastMode};

/// Decides for one pool. Holds what has to be remembered between two looks, and nothing else.
pub struct Planner {
    settings: Autoscale,
    slots: u16,
    rows: Vec<Row>,
    tracking: Option<Tracking>,
    past: Past,
}

/// What all policies together ask for.
#[derive(Default)]
struct Answers {
    /// The policy that asks to replace everything.
    replace: Option<String>,
    /// Sizes that the policies would grow to.
    grow: Vec<Ask>,
    /// The size that the table would shrink to.
    shrink: Option<(u32, Duration)>,
    /// The size below which the forecast would start workers again.
    keep: u32,
    votes: Vec<Vote>,
}

/// A larger size, and the pace of the policy that asks for it.
#[derive(Clone, Copy)]
struct Ask {
    size: u32,
    cooldown: Duration,
    per_minute: u32,
}

impl Planner {
    /// For a pool of workers with `slots` each.
    pub fn new(settings: &Autoscale, slots: u16) -> Self {
        Self {
            rows: settings.policies.iter().cloned().map(Row::new).collect(),
            tracking: settings.target.enabled.then(|| Tracking::new(settings.target.settle)),
            settings: settings.clone(),
            slots,
            past: Past::default(),
        }
    }

    /// `now` is monotonic: at least what it was the last time.
    pub fn decide(&mut self, now: Duration, reading: &Reading) -> Decision {
        let mut answers = Answers::default();
        self.ask_table(now, reading, &mut answers);
        self.ask_tracking(now, reading, &mut answers);
        self.ask_forecast(reading, &mut answers);
        if let Some(policy) = answers.replace.take() {
            return self.replace(now, reading, &policy, answers.votes);
        }
        let mut limits = Vec::new();
        let wanted = self.grown(now, reading, &answers, &mut limits);
        let wanted = wanted.unwrap_or_else(|| self.shrunk(now, reading, &answers, &mut limits));
        let wanted = self.bounded(reading, wanted, &mut limits);
        self.remember(now, reading.size, wanted);
        let action = Action::between(reading.size, wanted);
        Decision { at: now, action, wanted, votes: answers.votes, limits, alert: None, reading: *reading }
    }

    fn ask_table(&mut self, now: Duration, reading: &Reading, answers: &mut Answers) {
        for row in &mut self.rows {
            let vote = row.look(now, reading);
            if let Some(size) = vote.wants {
                let policy = &row.policy;
                if policy.replace {
                    let rested = self.past.may_replace(now, policy.cooldown.unwrap_or_default());
                    answers.replace = answers.replace.take().or_else(|| rested.then(|| policy.name.clone()));
                } else if row.way() == Way::Grow {
                    let cooldown = policy.cooldown.unwrap_or(self.settings.cooldown_out);
                    answers.grow.push(Ask { size, cooldown, per_minute: self.settings.per_minute });
                } else {
                    // Of the rows that shrink, the one that takes most has the hardest condition.
                    let asks = (size, policy.cooldown.unwrap_or(self.settings.cooldown_in));
                    answers.shrink = answers.shrink.into_iter().chain([asks]).min();
                }
            }
            answers.votes.push(vote);
        }
    }

    /// Tracking knows how far to shrink, so where it is on, it does that alone.
    fn ask_tracking(&mut self, now: Duration, reading: &Reading, answers: &mut Answers) {
        let Some(tracking) = &mut self.tracking else { return };
        let track = tracking.look(now, reading, self.slots, &self.settings.target);
        answers.shrink =
            track.as_ref().and_then(|track| Some((track.floor?, self.settings.target.cooldown_in)));
        let need = track.map(|track| track.need);
        answers.grow.extend(need.map(|need| self.at_target_pace(need)));
        answers.votes.push(vote("target", reading.queues.map(|queues| queues.arrivals), need));
    }

    fn ask_forecast(&self, reading: &Reading, answers: &mut Answers) {
        let (Some(ahead), Some(queues)) = (reading.ahead, reading.queues) else { return };
        let peak = Queues { arrivals: ahead.arrivals, ready: 0, in_flight: 0, ..queues };
        if !peak.is_sound() {
            return;
        }
        let target = &self.settings.target;
        let need = needed(&peak, self.slots, target.busy, target.drain);
        let early = f64::from(need) > f64::from(reading.size) * self.settings.forecast.above;
        let acts = self.settings.forecast.mode == ForecastMode::On;
        if acts && early {
            answers.grow.push(self.at_target_pace(need));
        }
        if acts {
            answers.keep = need;
        }
        answers.votes.push(vote("forecast", Some(ahead.arrivals), early.then_some(need)));
    }

    fn replace(&mut self, now: Duration, reading: &Reading, policy: &str, votes: Vec<Vote>) -> Decision {
        self.past.replaced(now);
        let wanted = reading.size.clamp(self.settings.min, self.settings.max);
        let alert =
            format!("{policy}: none of the pool's {} workers is healthy; all are replaced", reading.size);
        let action = Action::ReplaceAll;
        let limits = Vec::new();
        Decision { at: now, action, wanted, votes, limits, alert: Some(alert), reading: *reading }
    }

    /// The largest answer, as far as the policy's pace allows. `None` when no policy asks for more.
    fn grown(
        &mut self,
        now: Duration,
        reading: &Reading,
        answers: &Answers,
        limits: &mut Vec<Limit>,
    ) -> Option<u32> {
        let asks = || answers.grow.iter().filter(|ask| ask.size > reading.size);
        let most = asks().map(|ask| ask.size).max()?;
        let rested = asks().filter(|ask| self.past.may_grow(now, ask.cooldown));
        let rested: Vec<_> = rested.copied().collect();
        if rested.iter().all(|ask| ask.size < most) {
            limits.push(Limit::Cooldown);
        }
        let mut allowed = |ask: &Ask| {
            let left = reading.size.saturating_add(self.past.left(now, ask.per_minute));
            ask.size.min(left)
        };
        let wanted = rested.iter().map(&mut allowed).max().unwrap_or(reading.size);
        if rested.iter().any(|ask| ask.size > wanted) {
            limits.push(Limit::Rate);
        }
        Some(wanted)
    }

    const fn at_target_pace(&self, size: u32) -> Ask {
        let target = &self.settings.target;
        Ask { size, cooldown: target.cooldown_out, per_minute: target.per_minute }
    }

    fn shrunk(&self, now: Duration, reading: &Reading, answers: &Answers, limits: &mut Vec<Limit>) -> u32 {
        let Some((size, cooldown)) = answers.shrink else { return reading.size };
        let size = size.max(answers.keep);
        if size >= reading.size {
            return reading.size;
        }
        if !reading.is_whole() {
            limits.push(Limit::Unknown);
            return reading.size;
        }
        if !self.past.may_shrink(now, cooldown) {
            limits.push(Limit::Cooldown);
            return reading.size;
        }
        size
    }

    /// The bounds hold at once, whatever rates and cooldowns say; the machine's memory only ever stops
    /// growth.
    fn bounded(&self, reading: &Reading, wanted: u32, limits: &mut Vec<Limit>) -> u32 {
        let min = self.settings.min;
        let max = self.settings.max;
        let bounded = wanted.clamp(min, max);
        if bounded != wanted {
            limits.push(if bounded == min { Limit::Min } else { Limit::Max });
        }
        let room =
            reading.headroom.map_or(u32::MAX, |headroom| reading.size.saturating_add(headroom.workers()));
        if bounded > room {
            limits.push(Limit::Memory);
        }
        bounded.min(room)
    }

    fn remember(&mut self, now: Duration, size: u32, wanted: u32) {
        if wanted > size {
            self.past.grew(now, wanted - size);
        } else if wanted < size {
            self.past.shrank(now);
        }
    }
}

fn vote(policy: &str, reading: Option<f64>, wants: Option<u32>) -> Vote {
    Vote { policy: policy.to_owned(), metric: None, reading, lasting: None, wants }
}
