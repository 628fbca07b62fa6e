//! Tasks that run on a live worker, by their records: the worker is asked whether it runs them.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use clawpool_backends::store::{Question, UnfinishedTask};
use clawpool_core::task::{ProcessId, State, TaskId};

/// Tasks watched at a time.
const MAX_WATCHED: usize = 10_000;

/// Questions after one walk.
const QUESTIONS: usize = 500;

#[derive(Default)]
pub(super) struct Claims {
    known: HashMap<TaskId, Run>,
    /// Seen in the present walk.
    observed: HashSet<TaskId>,
}

struct Run {
    question: Question,
    since: Instant,
    asked: Option<Instant>,
}

impl Claims {
    pub(super) fn observe(&mut self, outline: &UnfinishedTask, live: &[ProcessId]) {
        let Some(worker) = outline.worker.filter(|worker| live.contains(worker)) else { return };
        if outline.state != State::Running
            || self.known.len() >= MAX_WATCHED && !self.known.contains_key(&outline.id)
        {
            return;
        }
        self.observed.insert(outline.id);
        let question = Question { worker, task: outline.id, token: outline.token };
        if self.known.get(&outline.id).is_none_or(|run| run.question != question) {
            self.known.insert(outline.id, Run { question, since: Instant::now(), asked: None });
        }
    }

    /// The walk has seen every record: a task that it did not see does not run any more.
    pub(super) fn finish_walk(&mut self) {
        let observed = std::mem::take(&mut self.observed);
        self.known.retain(|id, _| observed.contains(id));
    }

    /// About those that have run for `long`, and were not asked about for as long: the ones that have waited
    /// longest.
    pub(super) fn questions(&mut self, long: Duration) -> Vec<Question> {
        let now = Instant::now();
        let is_due = |since: Instant| now.duration_since(since) >= long;
        let due = self.known.values_mut().filter(|run| is_due(run.since) && run.asked.is_none_or(is_due));
        let mut due: Vec<&mut Run> = due.collect();
        due.sort_by_key(|run| run.asked);
        due.truncate(QUESTIONS);
        let ask = |run: &mut Run| {
            run.asked = Some(now);
            run.question
        };
        due.into_iter().map(ask).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_core::task::{Queue, Timestamp};

    const LONG: Duration = Duration::from_secs(15);

    fn outline(worker: ProcessId, token: u64) -> UnfinishedTask {
        UnfinishedTask {
            id: TaskId::new(),
            state: State::Running,
            queue: Queue::P4,
            generation: 0,
            attempt: 0,
            enqueued_at: Timestamp::now(),
            worker: Some(worker),
            token,
            scheduled: false,
        }
    }

    fn walk(claims: &mut Claims, outlines: &[&UnfinishedTask], live: &[ProcessId]) -> usize {
        outlines.iter().for_each(|outline| claims.observe(outline, live));
        claims.finish_walk();
        claims.questions(LONG).len()
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_runs_a_task_for_long_is_asked_now_and_then() {
        let mut claims = Claims::default();
        let alive = ProcessId::new();
        let task = outline(alive, 1);
        let orphan = outline(ProcessId::new(), 1);
        let mut asked = Vec::new();
        for _ in 0..10 {
            asked.push(walk(&mut claims, &[&task, &orphan], &[alive]));
            tokio::time::advance(LONG / 3).await;
        }
        assert_eq!(asked, [0, 0, 0, 1, 0, 0, 1, 0, 0, 1]);
        let again = UnfinishedTask { token: 2, ..task };
        assert_eq!(walk(&mut claims, &[&again], &[alive]), 0, "another claim is another question");
        assert_eq!(walk(&mut claims, &[], &[alive]), 0);
        assert!(claims.known.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn many_are_asked_about_in_turn() {
        let mut claims = Claims::default();
        let alive = ProcessId::new();
        let tasks: Vec<UnfinishedTask> =
            (0..QUESTIONS as u64 + 7).map(|token| outline(alive, token)).collect();
        let tasks: Vec<&UnfinishedTask> = tasks.iter().collect();
        walk(&mut claims, &tasks, &[alive]);
        tokio::time::advance(LONG).await;
        assert_eq!(walk(&mut claims, &tasks, &[alive]), QUESTIONS);
        assert_eq!(walk(&mut claims, &tasks, &[alive]), 7);
    }
}
