//! The path and the model side by side. When a task comes is left to the path, which may need a moment; that
//! it may come, and how it ends, is not.

use std::collections::HashMap;

use proptest::test_runner::TestCaseError;

use super::{
    super::worker::any,
    life::{Life, Place},
    *,
};
use crate::store::Cancelled;

/// So often, with a moment in between, nothing may come while something is open.
const IDLE_ROUNDS: usize = 1_000;

type Done = Result<(), TestCaseError>;

pub struct World<'a> {
    fixture: &'a dyn Fixture,
    observer: &'a Servers,
    fence: Fence,
    workers: Vec<Worker>,
    messages: [Message; TASKS],
    lives: HashMap<TaskId, Life>,
    /// What each worker runs.
    running: [Vec<TakenTask>; WORKERS],
    /// What was taken and has ended, by whichever worker.
    ended: Vec<TakenTask>,
}

impl<'a> World<'a> {
    pub async fn new(fixture: &'a dyn Fixture, observer: &'a Servers, fence: Fence) -> Self {
        let mut workers = Vec::new();
        for _ in 0..WORKERS {
            workers.push(Worker::start(fixture).await);
        }
        let priorities = [Priority::P0, Priority::P2, Priority::P4, Priority::P4];
        Self {
            fixture,
            observer,
            fence,
            workers,
            messages: priorities.map(message),
            lives: HashMap::new(),
            running: Default::default(),
            ended: Vec::new(),
        }
    }

    pub async fn step(&mut self, step: Step) -> Done {
        match step {
            Step::Offer { task, delayed } => self.offer(task, delayed).await,
            Step::Take { worker, most } => self.take(worker, most).await.map(drop),
            Step::Finish { worker, end, stale: false } => match self.running[worker].pop() {
                Some(taken) => self.finish(worker, taken, end).await,
                None => Ok(()),
            },
            Step::Finish { worker, end, stale: true } => self.finish_again(worker, end).await,
            Step::Cancel { task } => self.cancel(task).await,
            Step::Promote => self.promote().await,
            Step::Die { worker } => {
                self.die(worker).await;
                Ok(())
            }
        }
    }

    async fn offer(&mut self, task: usize, delayed: bool) -> Done {
        let message = &self.messages[task];
        let at = delayed.then(Timestamp::now);
        let offered = [Admission { at, ..admission(message) }];
        let mut answers = self.observer.path.offer(&offered).await;
        // A queue that is just being made may not take its first ones, and may have taken them all the same.
        let mut was_refused = false;
        while let [Offered::Refused(_)] = answers[..] {
            was_refused = true;
            answers = self.observer.path.offer(&offered).await;
        }
        match (answers.pop(), self.lives.get_mut(&message.id)) {
            (Some(Offered::New), None) => drop(self.lives.insert(message.id, Life::new(delayed))),
            (Some(Offered::Known(_)), None) if was_refused => {
                self.lives.insert(message.id, Life::new(delayed));
            }
            (Some(Offered::Known(record)), Some(life)) => {
                prop_assert_eq!(record.id, message.id);
                if life.place == Place::PutOff {
                    life.place = Place::Waiting;
                }
            }
            (answer, life) => prop_assert!(false, "{:?} is answered with {:?}", life, answer),
        }
        Ok(())
    }

    /// How many came.
    async fn take(&mut self, worker: usize, most: usize) -> Result<usize, TestCaseError> {
        let taken = self.workers[worker].source.take(&any(most)).await.unwrap().tasks;
        prop_assert!(taken.len() <= most);
        for taken in &taken {
            let Some(life) = self.lives.get_mut(&taken.task.id) else {
                return Err(TestCaseError::fail(format!("{taken:?} was never offered")));
            };
            prop_assert!(life.may_start(), "INV-2: {:?} starts", life);
            prop_assert!(taken.claimed.token > life.token, "INV-2: a token came twice");
            let seen = (taken.task.generation, taken.task.attempt, taken.crashes);
            prop_assert_eq!(seen, (life.generation, life.attempt, life.crashes), "INV-3, INV-8");
            prop_assert!(!taken.is_poison || life.crashes >= 3, "INV-3");
            life.place = Place::Running(self.workers[worker].id);
            life.token = taken.claimed.token;
        }
        let count = taken.len();
        self.running[worker].extend(taken);
        Ok(count)
    }

    async fn finish(&mut self, worker: usize, taken: TakenTask, end: Ending) -> Done {
        let end = if taken.is_poison { Ending::Dead } else { end };
        prop_assert!(self.workers[worker].finish(&taken, written(&taken, end)).await, "it is the owner");
        if let Some(life) = self.lives.get_mut(&taken.task.id) {
            life.end(end);
        }
        self.ended.push(taken);
        Ok(())
    }

    async fn finish_again(&mut self, worker: usize, end: Ending) -> Done {
        for taken in &self.ended {
            let accepted = self.workers[worker].finish(taken, written(taken, end)).await;
            prop_assert!(!accepted, "INV-2: the token of {:?} counts no more", taken.claimed);
        }
        Ok(())
    }

    async fn cancel(&mut self, task: usize) -> Done {
        let id = self.messages[task].id;
        let answer = self.observer.store.cancel(id).await.unwrap();
        let Some(life) = self.lives.get_mut(&id) else {
            prop_assert_eq!(answer, Cancelled::Unknown);
            return Ok(());
        };
        match life.place {
            Place::Waiting | Place::Scheduled | Place::PutOff => {
                prop_assert_eq!(answer, Cancelled::Done);
                life.place = Place::Over(State::Cancelled);
            }
            Place::Running(_) => {
                prop_assert_eq!(answer, Cancelled::Signalled);
                life.signalled = true;
            }
            // Whether it is over at once or when it comes again is left to the path.
            Place::Orphan => {
                let known = matches!(
                    answer,
                    Cancelled::Done | Cancelled::Signalled | Cancelled::TooLate(State::Cancelled)
                );
                prop_assert!(known, "{:?}", answer);
                life.signalled = true;
            }
            Place::Over(state) => prop_assert_eq!(answer, Cancelled::TooLate(state)),
        }
        Ok(())
    }

    async fn promote(&mut self) -> Done {
        let promoted = self.observer.path.promote(self.fence, 1_000).await.unwrap();
        prop_assert_eq!(promoted.left, 0);
        let waits = |life: &&mut Life| matches!(life.place, Place::Scheduled | Place::PutOff);
        for life in self.lives.values_mut().filter(waits) {
            life.place = Place::Waiting;
        }
        Ok(())
    }

    async fn die(&mut self, worker: usize) {
        let heir = Worker::start(self.fixture).await;
        let dead = std::mem::replace(&mut self.workers[worker], heir).die();
        end(self.observer, dead).await;
        self.running[worker].clear();
        for life in self.lives.values_mut().filter(|life| life.place == Place::Running(dead)) {
            (life.place, life.crashes) = (Place::Orphan, life.crashes + 1);
        }
    }

    /// Everything that was accepted can be brought to its end, which counts once.
    pub async fn ends(mut self) -> Done {
        let mut open = true;
        let mut idle_rounds = 0;
        while open {
            self.hasten().await;
            self.promote().await?;
            let mut came = 0;
            for worker in 0..WORKERS {
                came += self.take(worker, TASKS).await?;
                for taken in std::mem::take(&mut self.running[worker]) {
                    self.finish(worker, taken, Ending::Completed).await?;
                }
            }
            open = self.any_open().await?;
            if open && came == 0 {
                idle_rounds += 1;
                prop_assert!(idle_rounds < IDLE_ROUNDS, "INV-1: {:?} come no more", self.lives);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        self.finish_again(0, Ending::Completed).await
    }

    /// A message that came while its task ran is asked about again when a lease may be over, which is long.
    async fn hasten(&self) {
        for (id, _) in self.lives.iter().filter(|(_, life)| !life.is_over()) {
            self.observer.store.run_now(*id).await.unwrap();
        }
    }

    async fn any_open(&mut self) -> Result<bool, TestCaseError> {
        let mut open = false;
        for (id, life) in &mut self.lives {
            let record = self.observer.store.record(*id).await.unwrap();
            let Some(record) = record else {
                return Err(TestCaseError::fail(format!("INV-1: {life:?} has no record")));
            };
            if life.signalled && record.state == State::Cancelled {
                life.place = Place::Over(State::Cancelled);
            }
            match life.place {
                Place::Over(state) => prop_assert_eq!(record.state, state, "INV-1: {:?}", life),
                _ => prop_assert!(!record.state.is_final(), "INV-1: {:?} is {}", life, record.state),
            }
            open |= !life.is_over();
        }
        Ok(open)
    }
}

fn written(taken: &TakenTask, end: Ending) -> End {
    match end {
        Ending::Completed => completed(),
        Ending::Retry => retry(taken, Timestamp::now()),
        Ending::Dead => dead(taken, DeadReason::Fatal),
        Ending::Cancelled => End::Cancelled,
        Ending::Released => End::Released,
        Ending::PutOff => put_off(taken, Timestamp::now()),
    }
}
