//! The life of a task, as a model small enough to be read and believed, and random lives that a store must lead alike.

use std::collections::HashSet;

use proptest::{
    prelude::*,
    test_runner::{Config as Settings, TestCaseError, TestRunner},
};

use super::*;

const TASKS: usize = 3;
const WORKERS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Admit {
        task: usize,
        delayed: bool,
    },
    /// A delivery of the task's current message, or of an older one.
    Claim {
        task: usize,
        worker: usize,
        stale: bool,
    },
    /// By the owner with its token, or by whoever with the token before.
    Settle {
        task: usize,
        end: Ending,
        stale: bool,
    },
    Cancel {
        task: usize,
    },
    Promote,
    Bury {
        worker: usize,
    },
    Beat {
        worker: usize,
    },
    Condemn {
        task: usize,
    },
    Requeue {
        task: usize,
    },
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Completed,
    Retry,
    Dead,
    Cancelled,
    Released,
}

fn step() -> impl Strategy<Value = Step> {
    let (task, worker) = (0..TASKS, 0..WORKERS);
    let end =
        prop::sample::select(vec![Ending::Completed, Ending::Retry, Ending::Dead, Ending::Cancelled, Ending::Released]);
    prop_oneof![
        3 => (task.clone(), any::<bool>()).prop_map(|(task, delayed)| Step::Admit { task, delayed }),
        8 => (task.clone(), worker.clone(), prop::bool::weighted(0.2))
            .prop_map(|(task, worker, stale)| Step::Claim { task, worker, stale }),
        6 => (task.clone(), end, prop::bool::weighted(0.2))
            .prop_map(|(task, end, stale)| Step::Settle { task, end, stale }),
        1 => task.clone().prop_map(|task| Step::Cancel { task }),
        3 => Just(Step::Promote),
        2 => worker.clone().prop_map(|worker| Step::Bury { worker }),
        2 => worker.prop_map(|worker| Step::Beat { worker }),
        1 => task.clone().prop_map(|task| Step::Condemn { task }),
        2 => task.prop_map(|task| Step::Requeue { task }),
    ]
}

/// What the model remembers of one task.
#[derive(Clone, Debug)]
struct Life {
    state: State,
    message: Message,
    attempt: u32,
    crashes: u32,
    owner: usize,
    signalled: bool,
    letter: bool,
}

struct World<'a> {
    store: &'a dyn Store,
    fence: Fence,
    workers: [WorkerId; WORKERS],
    alive: [bool; WORKERS],
    first: [Message; TASKS],
    lives: [Option<Life>; TASKS],
    /// Every token ever given for the task, in order.
    tokens: [Vec<u64>; TASKS],
}

pub(crate) async fn every_life_is_as_the_model_says(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    tokio::task::block_in_place(|| {
        let runtime = tokio::runtime::Handle::current();
        let settings = Settings { cases: 48, failure_persistence: None, ..Settings::default() };
        let lives = prop::collection::vec(step(), 1..60);
        let outcome = TestRunner::new(settings).run(&lives, |steps| {
            runtime.block_on(async {
                let mut world = World::new(&*store, fence).await;
                for step in steps {
                    world.take(step).await?;
                }
                Ok(())
            })
        });
        if let Err(error) = outcome {
            panic!("{error}");
        }
    });
}

impl<'a> World<'a> {
    async fn new(store: &'a dyn Store, fence: Fence) -> Self {
        let workers = [(); WORKERS].map(|()| WorkerId::new());
        for worker in workers {
            beat(store, worker).await;
        }
        Self {
            store,
            fence,
            workers,
            alive: [true; WORKERS],
            first: [(); TASKS].map(|()| message(Priority::P4)),
            lives: [const { None }; TASKS],
            tokens: [const { Vec::new() }; TASKS],
        }
    }

    async fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Admit { task, delayed } => self.admit(task, delayed).await?,
            Step::Claim { task, worker, stale } => self.claim(task, worker, stale).await?,
            Step::Settle { task, end, stale } => self.settle(task, end, stale).await?,
            Step::Cancel { task } => self.cancel(task).await?,
            Step::Promote => self.promote().await?,
            Step::Bury { worker } => {
                self.store.bury(self.workers[worker]).await.unwrap();
                self.alive[worker] = false;
            }
            Step::Beat { worker } => {
                beat(self.store, self.workers[worker]).await;
                self.alive[worker] = true;
            }
            Step::Condemn { task } => self.condemn(task).await,
            Step::Requeue { task } => self.requeue(task).await?,
        }
        self.compare(step).await
    }

    async fn admit(&mut self, task: usize, delayed: bool) -> Result<(), TestCaseError> {
        let message = &self.first[task];
        let at = delayed.then(Timestamp::now);
        let answer = self.store.admit(&[Admission { at, ..admission(message) }]).await.unwrap()[0];
        if self.lives[task].is_some() {
            prop_assert_eq!(answer, Admitted::Existing(message.id));
            return Ok(());
        }
        prop_assert_eq!(answer, Admitted::New);
        let state = if delayed { State::Scheduled } else { State::Queued };
        self.lives[task] = Some(Life::new(state, message));
        Ok(())
    }

    async fn claim(&mut self, task: usize, worker: usize, stale: bool) -> Result<(), TestCaseError> {
        let life = self.lives[task].clone();
        let current = life.as_ref().filter(|_| !stale).map_or(&self.first[task], |life| &life.message).clone();
        let message = &current;
        let verdict = claim(self.store, self.workers[worker], message).await;
        let mut life = life.unwrap_or_else(|| Life::new(State::Queued, message));
        let expected = life.claim(message.generation, worker, &self.alive);
        match verdict {
            Verdict::Run { token, crashes } | Verdict::Poison { token, crashes } => {
                let poison = matches!(verdict, Verdict::Poison { .. });
                prop_assert_eq!(expected, if poison { "poison" } else { "run" });
                prop_assert_eq!(crashes, life.crashes);
                prop_assert!(self.tokens[task].iter().all(|old| *old < token), "INV-2: a token came twice");
                self.tokens[task].push(token);
            }
            Verdict::Drop => prop_assert_eq!(expected, "drop"),
            Verdict::Held { .. } => prop_assert_eq!(expected, "held"),
        }
        self.lives[task] = Some(life);
        Ok(())
    }

    async fn settle(&mut self, task: usize, end: Ending, stale: bool) -> Result<(), TestCaseError> {
        let (Some(life), Some(&token)) = (&mut self.lives[task], self.tokens[task].iter().nth_back(usize::from(stale)))
        else {
            return Ok(());
        };
        let written = match end {
            Ending::Completed => completed(),
            Ending::Retry => End::Retry {
                message: next_generation(&life.message, life.attempt + 1),
                at: Timestamp::now(),
                failure: failure(),
            },
            Ending::Dead => End::Dead(letter(&life.message, DeadReason::Fatal)),
            Ending::Cancelled => End::Cancelled,
            Ending::Released => End::Released,
        };
        let counts = life.state == State::Running && !stale;
        let answer = settle(self.store, self.workers[life.owner], claimed(&life.message, token), written).await;
        prop_assert_eq!(answer, counts, "INV-2: {:?}", end);
        if counts {
            life.settle(end);
        }
        Ok(())
    }

    async fn cancel(&mut self, task: usize) -> Result<(), TestCaseError> {
        let answer = self.store.cancel(self.first[task].id).await.unwrap();
        let Some(life) = &mut self.lives[task] else {
            prop_assert_eq!(answer, Cancelled::Unknown);
            return Ok(());
        };
        match life.state {
            State::Running => {
                prop_assert_eq!(answer, Cancelled::Signalled);
                life.signalled = true;
            }
            State::Queued | State::Scheduled => {
                prop_assert_eq!(answer, Cancelled::Done);
                life.state = State::Cancelled;
            }
            state => prop_assert_eq!(answer, Cancelled::TooLate(state)),
        }
        Ok(())
    }

    /// What the steward does with whatever is due; entries of lives before this one are promoted as well.
    async fn promote(&mut self) -> Result<(), TestCaseError> {
        let due = self.store.due(self.fence, 1_000).await.unwrap();
        let keys: Vec<_> = due.messages.iter().map(|message| (message.id, message.generation)).collect();
        self.store.promoted(self.fence, &keys).await.unwrap();
        let keys: HashSet<_> = keys.into_iter().collect();
        for life in self.lives.iter_mut().flatten().filter(|life| life.state == State::Scheduled) {
            prop_assert!(keys.contains(&(life.message.id, life.message.generation)), "INV-1: {:?} has no entry", life);
            life.state = State::Queued;
        }
        Ok(())
    }

    async fn condemn(&mut self, task: usize) {
        let Some(life) = &mut self.lives[task] else { return };
        self.store.condemn(&[letter(&life.message, DeadReason::Expired)]).await.unwrap();
        if matches!(life.state, State::Queued | State::Scheduled) {
            life.state = State::Dead;
            life.letter = true;
        }
    }

    async fn requeue(&mut self, task: usize) -> Result<(), TestCaseError> {
        let Some(life) = &mut self.lives[task] else { return Ok(()) };
        let next = next_generation(&life.message, 0);
        let count = self.store.requeue(std::slice::from_ref(&next)).await.unwrap();
        prop_assert_eq!(count, u64::from(life.letter));
        if life.letter {
            *life = Life::new(State::Scheduled, &next);
        }
        Ok(())
    }

    async fn compare(&self, step: Step) -> Result<(), TestCaseError> {
        for (first, life) in self.first.iter().zip(&self.lives) {
            let record = self.store.record(first.id).await.unwrap();
            let seen = record.map(|record| (record.state, record.generation, record.attempt, record.crashes));
            let expected = life.as_ref().map(|life| (life.state, life.message.generation, life.attempt, life.crashes));
            prop_assert_eq!(seen, expected, "after {:?}", step);
            let letter = self.store.dead_letter(first.id).await.unwrap().is_some();
            prop_assert_eq!(letter, life.as_ref().is_some_and(|life| life.letter), "after {:?}", step);
        }
        Ok(())
    }
}

impl Life {
    fn new(state: State, message: &Message) -> Self {
        Self { state, message: message.clone(), attempt: 0, crashes: 0, owner: 0, signalled: false, letter: false }
    }

    fn claim(&mut self, generation: u32, worker: usize, alive: &[bool; WORKERS]) -> &'static str {
        if self.state.is_final() || generation < self.message.generation {
            return "drop";
        }
        if self.state == State::Running {
            if alive[self.owner] {
                return "held";
            }
            self.crashes += 1;
            if self.signalled {
                self.state = State::Cancelled;
                return "drop";
            }
        }
        let poison = self.state == State::Running && self.crashes >= 3;
        (self.state, self.owner) = (State::Running, worker);
        if poison { "poison" } else { "run" }
    }

    fn settle(&mut self, end: Ending) {
        self.state = match end {
            Ending::Completed => State::Completed,
            Ending::Dead => State::Dead,
            Ending::Retry | Ending::Released if self.signalled => State::Cancelled,
            Ending::Cancelled => State::Cancelled,
            Ending::Retry => State::Scheduled,
            Ending::Released => State::Queued,
        };
        self.attempt += u32::from(matches!(end, Ending::Retry | Ending::Dead));
        self.letter = self.state == State::Dead;
        if self.state == State::Scheduled {
            self.message = next_generation(&self.message, self.attempt);
        }
    }
}
