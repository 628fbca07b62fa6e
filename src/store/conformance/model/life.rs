use super::*;

/// What the model remembers of one task.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) state: State,
    pub(super) message: Message,
    pub(super) attempt: u32,
    pub(super) crashes: u32,
    pub(super) owner: usize,
    pub(super) signalled: bool,
    pub(super) letter: bool,
}

impl Life {
    pub(super) fn new(state: State, message: &Message) -> Self {
        Self { state, message: message.clone(), attempt: 0, crashes: 0, owner: 0, signalled: false, letter: false }
    }

    /// One more crash would make it poison.
    pub(super) const fn is_suspect(&self) -> bool {
        self.crashes == 2
    }

    /// `crowded`: the worker runs another suspect.
    pub(super) fn claim(
        &mut self,
        generation: u32,
        worker: usize,
        alive: &[bool; WORKERS],
        crowded: bool,
    ) -> &'static str {
        if self.state.is_final() || generation < self.message.generation {
            return "drop";
        }
        if self.state == State::Running {
            let next = Self { crashes: self.crashes + 1, ..self.clone() };
            if alive[self.owner] || (crowded && next.is_suspect()) {
                return "held";
            }
            self.crashes += 1;
            if self.signalled {
                self.state = State::Cancelled;
                return "drop";
            }
        } else if crowded && self.is_suspect() {
            return "held";
        }
        let poison = self.state == State::Running && self.crashes >= 3;
        (self.state, self.owner) = (State::Running, worker);
        if poison { "poison" } else { "run" }
    }

    pub(super) fn settle(&mut self, end: Ending) {
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
