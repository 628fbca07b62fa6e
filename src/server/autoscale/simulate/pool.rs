use std::{collections::VecDeque, time::Duration};

use super::{SimulatedPool, load::Chance};

/// A queue and workers with slots: a task waits for a free slot, first come first served.
///
/// Tasks go to the least loaded worker, so running tasks lie evenly over the workers and only draining ones
/// are told apart.
pub(super) struct Pool {
    model: SimulatedPool,
    tick: Duration,
    chance: Chance,
    /// Ticks and how many of their arrivals still wait.
    queue: VecDeque<(u64, u64)>,
    pub(super) ready: u64,
    pub(super) running: u64,
    pub(super) started: u32,
    /// The ticks at which starting workers are up.
    starting: VecDeque<u64>,
    /// Tasks that draining workers still run.
    draining: Vec<u64>,
    /// Waits of the tasks that started in this tick, in ticks, and how many.
    pub(super) waits: Vec<(u64, u64)>,
}

impl Pool {
    pub(super) fn new(model: &SimulatedPool, tick: Duration, started: u32) -> Self {
        Self {
            model: *model,
            tick,
            chance: Chance::new(model.seed.wrapping_add(1)),
            queue: VecDeque::new(),
            ready: 0,
            running: 0,
            started,
            starting: VecDeque::new(),
            draining: Vec::new(),
            waits: Vec::new(),
        }
    }

    pub(super) fn size(&self) -> u32 {
        self.started.saturating_add(u32::try_from(self.starting.len()).unwrap_or(u32::MAX))
    }

    /// Workers that exist and cost: those that start and drain as well.
    pub(super) fn alive(&self) -> u32 {
        self.size().saturating_add(u32::try_from(self.draining.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn slots(&self) -> u64 {
        u64::from(self.started) * u64::from(self.model.slots)
    }

    pub(super) fn draining_tasks(&self) -> u64 {
        self.draining.iter().sum()
    }

    pub(super) fn oldest(&self, now: u64) -> Duration {
        let ticks = self.queue.front().map_or(0, |(arrived, _)| now - arrived);
        self.tick * u32::try_from(ticks).unwrap_or(u32::MAX)
    }

    pub(super) fn step(&mut self, now: u64, arrivals: u64) {
        while self.starting.pop_front_if(|up| *up <= now).is_some() {
            self.started += 1;
        }
        let probability = (self.tick.as_secs_f64() / self.model.service.as_secs_f64()).min(1.0);
        self.running -= self.chance.ended(self.running, probability);
        for tasks in &mut self.draining {
            *tasks -= self.chance.ended(*tasks, probability);
        }
        self.draining.retain(|tasks| *tasks > 0);
        if arrivals > 0 {
            self.queue.push_back((now, arrivals));
            self.ready += arrivals;
        }
        self.begin(now);
    }

    fn begin(&mut self, now: u64) {
        self.waits.clear();
        let mut free = self.slots().saturating_sub(self.running);
        while let (Some((arrived, waiting)), 1..) = (self.queue.front_mut(), free) {
            let begin = free.min(*waiting);
            self.waits.push((now - *arrived, begin));
            *waiting -= begin;
            free -= begin;
            self.running += begin;
            self.ready -= begin;
            if *waiting == 0 {
                self.queue.pop_front();
            }
        }
    }

    pub(super) fn resize(&mut self, now: u64, wanted: u32) {
        let size = self.size();
        let ticks = (self.model.start.as_secs_f64() / self.tick.as_secs_f64()).ceil() as u64;
        for _ in size..wanted {
            self.starting.push_back(now + ticks);
        }
        for _ in wanted..size {
            self.stop_one();
        }
    }

    /// One that still starts, else the least loaded one, which takes no new task and leaves with its last.
    fn stop_one(&mut self) {
        if self.starting.pop_back().is_some() {
            return;
        }
        let tasks = self.running / u64::from(self.started.max(1));
        self.running -= tasks;
        self.started -= 1;
        if tasks > 0 {
            self.draining.push(tasks);
        }
    }
}
