use super::PathError;
use crate::store::Record;
use clawpool_core::task::{CodecError, TaskId};

/// What became of an offer.
#[derive(Debug)]
pub enum Offered {
    New,
    /// Nothing was added: this is the task that is there.
    Known(Box<Record>),
    Refused(Refusal),
}

/// Why an offer was not taken.
#[derive(Debug)]
pub enum Refusal {
    /// Nothing of it will run.
    Refused(PathError),
    /// Whether it was taken is not known. Offered again with this id, it runs once.
    InDoubt(TaskId, PathError),
    /// It repeats this task, which ended or was withdrawn at this moment.
    Withdrawn(TaskId),
    /// This id belongs to a task of another token or tenant.
    OfAnother(TaskId),
    /// This id belongs to a task that asks for something else.
    Conflict(TaskId),
    /// The task that it repeats cannot be written once more.
    Unwritable(CodecError),
}

impl<E: Into<PathError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}
