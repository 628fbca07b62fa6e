use super::*;

/// What the model remembers of one task.
#[derive(Clone, Debug)]
pub struct Life {
    pub place: Place,
    pub generation: u32,
    pub attempt: u32,
    pub crashes: u32,
    pub token: u64,
    /// It was cancelled while it ran.
    pub signalled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Waiting,
    /// In the schedule set, due.
    Scheduled,
    /// The same, at the generation that was on its queue: offered again, it may come sooner.
    PutOff,
    Running(ProcessId),
    /// Its worker died: it waits, or lies in the schedule set for a while.
    Orphan,
    Over(State),
}

impl Life {
    pub fn new(delayed: bool) -> Self {
        let place = if delayed { Place::Scheduled } else { Place::Waiting };
        Self { place, generation: 0, attempt: 0, crashes: 0, token: 0, signalled: false }
    }

    pub fn is_over(&self) -> bool {
        matches!(self.place, Place::Over(_))
    }

    /// Whether a worker may be given it now. What was put off may come early: apart, a message of the same
    /// generation is delivered again where its acknowledgement was lost.
    pub fn may_start(&self) -> bool {
        match self.place {
            Place::Waiting | Place::PutOff => true,
            Place::Orphan => !self.signalled,
            Place::Scheduled | Place::Running(_) | Place::Over(_) => false,
        }
    }

    pub fn end(&mut self, end: Ending) {
        self.place = match end {
            Ending::Completed => Place::Over(State::Completed),
            Ending::Dead => Place::Over(State::Dead),
            Ending::Cancelled => Place::Over(State::Cancelled),
            _ if self.signalled => Place::Over(State::Cancelled),
            Ending::Retry => Place::Scheduled,
            Ending::PutOff => Place::PutOff,
            Ending::Released => Place::Waiting,
        };
        let goes_on = matches!(end, Ending::Retry) && self.place == Place::Scheduled;
        self.generation += u32::from(goes_on);
        self.attempt += u32::from(goes_on);
    }
}
