use crate::autoscale::driver::{Member, MemberId};
use clawpool_backends::store::WorkerInfo;
use clawpool_core::{
    scaling::{Gauge, Workers},
    task::{Timestamp, WorkerId},
};

/// The workers that are there to stay: those of the driver, and those that registered for the pool without it (what a
/// former leader started, or a person).
#[derive(Clone, Debug, Default)]
pub struct Crew {
    pub hands: Vec<Hand>,
    /// Those that are leaving.
    pub draining: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Hand {
    /// The driver's, if it is one of its own.
    pub member: Option<MemberId>,
    /// Under which it has registered.
    pub worker: Option<WorkerId>,
    pub started_at: Option<Timestamp>,
    /// Its heart beats.
    pub alive: bool,
    pub running: u32,
    pub slots: u32,
    /// Of one core, in per cent, at most 100: that much is what one worker is reckoned to have.
    pub cpu: Option<f64>,
    /// Of the memory that it may use, in per cent.
    pub memory: Option<f64>,
}

impl Crew {
    /// `memory`: bytes that one worker may use, where there is a limit.
    pub(super) fn new(pool: &str, members: &[Member], workers: &[WorkerInfo], memory: Option<u64>) -> Self {
        let ours: Vec<&WorkerInfo> = workers.iter().filter(|worker| worker.beat.pool == pool).collect();
        let mut crew = Self::default();
        for member in members {
            let info = ours.iter().find(|worker| is_same(member, worker)).copied();
            if member.draining {
                crew.draining += 1;
            } else {
                crew.hands.push(Hand::new(Some(&member.id), info, memory));
            }
        }
        let alone = |worker: &&&WorkerInfo| !members.iter().any(|member| is_same(member, worker));
        for worker in ours.iter().filter(|worker| worker.alive).filter(alone) {
            if worker.beat.draining {
                crew.draining += 1;
            } else {
                crew.hands.push(Hand::new(None, Some(worker), memory));
            }
        }
        crew
    }

    pub fn size(&self) -> u32 {
        self.hands.len() as u32
    }

    pub(super) fn foreign(&self) -> u32 {
        self.hands.iter().filter(|hand| hand.member.is_none()).count() as u32
    }

    pub(super) fn workers(&self) -> Workers {
        let started = self.hands.iter().filter(|hand| hand.worker.is_some());
        let alive = || self.hands.iter().filter(|hand| hand.alive);
        Workers {
            started: started.count() as u32,
            healthy: alive().count() as u32,
            cpu: gauge(alive().filter_map(|hand| hand.cpu)),
            memory: gauge(alive().filter_map(|hand| hand.memory)),
            busy: gauge(alive().map(Hand::busy)),
        }
    }
}

impl Hand {
    fn new(member: Option<&MemberId>, info: Option<&WorkerInfo>, memory: Option<u64>) -> Self {
        let beat = info.map(|info| &info.beat);
        let usage = beat.and_then(|beat| beat.usage);
        Self {
            member: member.cloned(),
            worker: beat.map(|beat| beat.worker),
            started_at: beat.map(|beat| beat.started_at),
            alive: info.is_some_and(|info| info.alive),
            running: beat.map_or(0, |beat| beat.running.iter().sum()),
            slots: beat.map_or(0, |beat| beat.slots),
            cpu: usage.map(|usage| f64::from(usage.cpu).min(100.0)),
            memory: usage.zip(memory).map(|(usage, limit)| 100.0 * usage.memory as f64 / limit.max(1) as f64),
        }
    }

    fn busy(&self) -> f64 {
        (100.0 * f64::from(self.running) / f64::from(self.slots.max(1))).min(100.0)
    }
}

fn is_same(member: &Member, worker: &WorkerInfo) -> bool {
    member.worker == Some(worker.beat.worker) || member.host.as_deref() == Some(worker.beat.host.as_str())
}

fn gauge(values: impl Iterator<Item = f64>) -> Gauge {
    let (sum, reporting) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    Gauge { mean: sum / f64::from(reporting.max(1)), reporting }
}
