use std::time::Duration;

use serde_json::{Value, json};

use super::site::Site;
use clawpool_core::task::{DeadReason, NewTask, Payload, Priority};

/// A task and what must become of it.
#[derive(Debug)]
pub(super) struct Planned {
    pub task: NewTask,
    pub priority: Priority,
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Completes,
    Dies(DeadReason),
    IsCancelled,
    IsCancelledWhileItRuns,
}

/// How long the tasks that are to expire may wait.
pub(super) const SHORT_LIFE: Duration = Duration::from_millis(1500);

/// What the demo enqueues: all seven classes, in the rough proportions of a busy agent.
#[derive(Debug)]
pub(super) struct Plan {
    pub tasks: Vec<Planned>,
    /// Runs until it is cancelled. Enqueued when the poison task is dead: a task that two workers died with
    /// because of that one, and a third because of us, would be taken for poison itself.
    pub long: Planned,
}

/// The kind of the one task that crashes every worker that starts it; urgent, so that this is over early.
pub(super) const POISON: &str = "demo.poison";

impl Plan {
    pub(super) fn new(tasks: u32, site: &Site) -> Self {
        let share = |percent: u32| tasks * percent / 100;
        let long = planned("llm.reply", Priority::P2, &json!({"ms": 600_000}), Fate::IsCancelledWhileItRuns);
        let mut plan = Self { tasks: Vec::with_capacity(tasks as usize), long };
        plan.tasks.push(planned(POISON, Priority::P1, &json!({}), Fate::Dies(DeadReason::Poison)));
        plan.add(share(8), "voice.call", Priority::P0, |n| json!({"ms": 5 + n % 15}));
        plan.add(share(10), "user.speech", Priority::P1, |n| json!({"ms": 10 + n % 20}));
        // One in five meets a rate limit first.
        plan.add(
            share(15),
            "llm.reply",
            Priority::P2,
            |n| json!({"ms": 20 + n % 60, "failures": u32::from(n % 5 == 0)}),
        );
        plan.add(share(12), "browser.open", Priority::P3, |n| json!({"ms": 20 + n % 50}));
        plan.add(
            share(20),
            "email.send",
            Priority::P4,
            |n| json!({"ms": 5, "failures": u32::from(n % 10 == 0)}),
        );
        plan.add(share(6), "file.checksum", Priority::P5, |n| json!({"path": site.input(n)}));
        plan.add(
            share(6),
            "file.sort",
            Priority::P5,
            |n| json!({"path": site.input(n), "to": site.output(n)}),
        );
        plan.add(share(20), "background.tidy", Priority::P6, |n| json!({"ms": n % 10}));
        plan.doomed(share(1).max(1));
        plan
    }

    /// With the one that comes last.
    pub(super) fn count(&self) -> usize {
        self.tasks.len() + 1
    }

    pub(super) fn count_of(&self, priority: Priority) -> usize {
        let all = self.tasks.iter().chain([&self.long]);
        all.filter(|planned| planned.priority == priority).count()
    }

    fn add(&mut self, count: u32, kind: &str, priority: Priority, payload: impl Fn(u32) -> Value) {
        self.tasks.extend((0..count).map(|n| planned(kind, priority, &payload(n), Fate::Completes)));
    }

    /// Those that must end otherwise: fatal, exhausted, expired, cancelled while they wait.
    fn doomed(&mut self, each: u32) {
        for _ in 0..each {
            let fatal = Fate::Dies(DeadReason::Fatal);
            self.tasks.push(planned("browser.open", Priority::P3, &json!({"ms": 1, "fatal": true}), fatal));
            let mut exhausted = planned(
                "email.send",
                Priority::P4,
                &json!({"ms": 1, "failures": 99}),
                Fate::Dies(DeadReason::Exhausted),
            );
            exhausted.task.max_attempts = Some(2);
            self.tasks.push(exhausted);
            let mut expired =
                planned("background.tidy", Priority::P6, &json!({"ms": 1}), Fate::Dies(DeadReason::Expired));
            expired.task.ttl = Some(SHORT_LIFE / 2);
            self.tasks.push(expired);
            let mut waiting = planned("email.send", Priority::P4, &json!({"ms": 1}), Fate::IsCancelled);
            waiting.task.delay = Some(Duration::from_secs(600));
            self.tasks.push(waiting);
        }
    }
}

fn planned(kind: &str, priority: Priority, payload: &Value, fate: Fate) -> Planned {
    let payload = Payload::encode(payload).unwrap_or_default();
    Planned { task: NewTask::new(kind, payload), priority, fate }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_task_is_counted_from_the_start() {
        let site = Site::prepare(None).unwrap();
        let plan = Plan::new(2000, &site);
        let each = Priority::ALL.map(|priority| plan.count_of(priority));
        assert_eq!((plan.count(), each.iter().sum::<usize>()), (plan.tasks.len() + 1, plan.count()));
    }
}
