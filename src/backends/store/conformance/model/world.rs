//! The store and the model side by side: each step is taken by both, and they must agree.

use std::collections::HashSet;

use proptest::test_runner::TestCaseError;

use super::{life::Life, *};

pub struct World<'a> {
    store: &'a dyn Store,
    fence: Fence,
    workers: [ProcessId; WORKERS],
    alive: [bool; WORKERS],
    first: [Message; TASKS],
    lives: [Option<Life>; TASKS],
    /// Every token ever given for the task, in order.
    tokens: [Vec<u64>; TASKS],
}

impl<'a> World<'a> {
    pub async fn new(store: &'a dyn Store, fence: Fence) -> Self {
        let workers = [(); WORKERS].map(|()| ProcessId::new());
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

    pub async fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Admit { task, delayed } => self.admit(task, delayed).await?,
            Step::Claim { task, worker, stale } => self.claim(task, worker, stale).await?,
            Step::Settle { task, end, stale } => self.settle(task, end, stale).await?,
            Step::Cancel { task } => self.cancel(task).await?,
            Step::Promote => self.promote().await?,
            Step::EndLease { worker } => {
                self.store.end_lease(self.workers[worker], None).await.unwrap();
                self.alive[worker] = false;
                self.fall(worker);
            }
            Step::Beat { worker } => {
                beat(self.store, self.workers[worker]).await;
                self.alive[worker] = true;
            }
            Step::DeadLetter { task } => self.dead_letter(task).await,
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
        let current =
            life.as_ref().filter(|_| !stale).map_or(&self.first[task], |life| &life.message).clone();
        let message = &current;
        if let Some(life) = life.filter(|life| life.is_orphan(&self.alive))
            && life.message.generation == message.generation
        {
            self.fall(life.owner);
        }
        let mut life = self.lives[task].clone().unwrap_or_else(|| Life::new(State::Queued, message));
        let outcome = claim(self.store, self.workers[worker], message).await;
        let expected = life.claim(message.generation, &self.alive);
        match outcome {
            ClaimOutcome::Run { token, crashes } | ClaimOutcome::Poison { token, crashes } => {
                let poison = matches!(outcome, ClaimOutcome::Poison { .. });
                match (expected, poison) {
                    ("again", true) => prop_assert!(life.crashes >= 3, "{:?}", life),
                    ("again", false) => prop_assert!(life.alone < 3, "{:?}", life),
                    _ => prop_assert_eq!((expected, poison), ("run", false)),
                }
                prop_assert_eq!(crashes, life.crashes);
                prop_assert!(self.tokens[task].iter().all(|old| *old < token), "INV-2: a token came twice");
                self.tokens[task].push(token);
                life.taken(worker);
            }
            ClaimOutcome::Drop => prop_assert_eq!(expected, "drop"),
            // How long a suspect must wait depends on the time; that nothing changes does not.
            ClaimOutcome::Held { .. } if expected == "again" => prop_assert!(life.alone < 3, "{:?}", life),
            ClaimOutcome::Held { .. } => prop_assert_eq!(expected, "held"),
        }
        self.lives[task] = Some(life);
        Ok(())
    }

    /// A worker's lease is ended, with all that it runs.
    fn fall(&mut self, worker: usize) {
        let mine =
            |life: &&mut Life| life.state == State::Running && life.owner == worker && !life.lease_over;
        let fallen: Vec<&mut Life> = self.lives.iter_mut().flatten().filter(mine).collect();
        let count = fallen.len();
        fallen.into_iter().for_each(|life| life.fall(count));
    }

    async fn settle(&mut self, task: usize, end: Ending, stale: bool) -> Result<(), TestCaseError> {
        let (Some(life), Some(&token)) =
            (&mut self.lives[task], self.tokens[task].iter().nth_back(usize::from(stale)))
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
        let answer =
            settle(self.store, self.workers[life.owner], claimed(&life.message, token), written).await;
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
            prop_assert!(
                keys.contains(&(life.message.id, life.message.generation)),
                "INV-1: {:?} has no entry",
                life
            );
            life.state = State::Queued;
        }
        Ok(())
    }

    async fn dead_letter(&mut self, task: usize) {
        let Some(life) = &mut self.lives[task] else { return };
        self.store.add_dead_letters(&[letter(&life.message, DeadReason::Expired)]).await.unwrap();
        if matches!(life.state, State::Queued | State::Scheduled) {
            life.state = State::Dead;
            life.letter = true;
        }
    }

    async fn requeue(&mut self, task: usize) -> Result<(), TestCaseError> {
        let Some(life) = &mut self.lives[task] else { return Ok(()) };
        let next = next_generation(&life.message, 0);
        let count = self.store.requeue(std::slice::from_ref(&next)).await.unwrap();
        prop_assert_eq!(count, Requeued { taken: u64::from(life.letter), kept: 0 });
        if life.letter {
            *life = Life::new(State::Scheduled, &next);
        }
        Ok(())
    }

    async fn compare(&self, step: Step) -> Result<(), TestCaseError> {
        for (first, life) in self.first.iter().zip(&self.lives) {
            let record = self.store.record(first.id).await.unwrap();
            let seen = record.map(|record| (record.state, record.generation, record.attempt, record.crashes));
            let shown = |life: &Life| match life.state {
                State::Running if !self.alive[life.owner] => State::Queued,
                state => state,
            };
            let expected =
                life.as_ref().map(|life| (shown(life), life.message.generation, life.attempt, life.crashes));
            prop_assert_eq!(seen, expected, "after {:?}", step);
            let letter = self.store.dead_letter(first.id).await.unwrap().is_some();
            prop_assert_eq!(letter, life.as_ref().is_some_and(|life| life.letter), "after {:?}", step);
        }
        Ok(())
    }
}
