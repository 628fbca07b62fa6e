use super::*;

/// What the model remembers of one task.
#[derive(Clone, Debug)]
pub struct Life {
    pub state: State,
    pub message: Message,
    pub attempt: u32,
    pub crashes: u32,
    /// Deaths in which it was the only task.
    pub alone: u32,
    pub owner: usize,
    pub lease_over: bool,
    pub signalled: bool,
    pub letter: bool,
}

impl Life {
    pub fn new(state: State, message: &Message) -> Self {
        let attempt = 0;
        let crashes = 0;
        let alone = 0;
        let owner = 0;
        let lease_over = false;
        let signalled = false;
        let letter = false;
        Self {
            state,
            message: message.clone(),
            attempt,
            crashes,
            alone,
            owner,
            lease_over,
            signalled,
            letter,
        }
    }

    /// Its owner died, and the lease of that is not over for the store.
    pub fn is_orphan(&self, alive: &[bool; WORKERS]) -> bool {
        self.state == State::Running && !self.lease_over && !alive[self.owner]
    }

    /// The lease of its owner was ended, with so many tasks.
    pub fn fall(&mut self, with: usize) {
        (self.crashes, self.lease_over) = (self.crashes + 1, true);
        self.alone += u32::from(with == 1);
    }

    /// `again`: after its owner's death, where the store decides when, and whether it is poison.
    pub fn claim(&mut self, generation: u32, alive: &[bool; WORKERS]) -> &'static str {
        if self.state.is_final() || generation < self.message.generation {
            return "drop";
        }
        if self.state != State::Running {
            return "run";
        }
        if alive[self.owner] {
            return "held";
        }
        if self.signalled {
            self.state = State::Cancelled;
            return "drop";
        }
        "again"
    }

    pub fn taken(&mut self, worker: usize) {
        (self.state, self.owner, self.lease_over) = (State::Running, worker, false);
    }

    pub fn settle(&mut self, end: Ending) {
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
