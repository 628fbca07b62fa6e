//! What the store holds and cannot be read: no version of this crate has written it.
//!
//! Guarantees: it costs itself alone. The call that meets it sets it aside, where a person can look at it for
//! thirty days, and goes on; it is told of once. Never does: throw away what a person may still want to see.

use std::fmt;

use clawpool_core::task::TaskId;

/// Something that was set aside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unreadable {
    pub what: StoredItem,
    /// As the store names it: often a task's id, for people see `Display`.
    pub name: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoredItem {
    Record,
    /// Of the schedule set.
    Entry,
    DeadLetter,
    Journal,
    Note,
    Heartbeat,
    Message,
}

impl StoredItem {
    pub const ALL: [Self; 7] = [
        Self::Record,
        Self::Entry,
        Self::DeadLetter,
        Self::Journal,
        Self::Note,
        Self::Heartbeat,
        Self::Message,
    ];

    /// How the stores name it: one letter.
    pub const fn code(self) -> char {
        match self {
            Self::Record => 't',
            Self::Entry => 's',
            Self::DeadLetter => 'd',
            Self::Journal => 'j',
            Self::Note => 'n',
            Self::Heartbeat => 'w',
            Self::Message => 'm',
        }
    }

    pub fn of(code: char) -> Option<Self> {
        Self::ALL.into_iter().find(|item| item.code() == code)
    }
}

/// More than one of them.
impl fmt::Display for StoredItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Record => "records of tasks",
            Self::Entry => "entries of the schedule set",
            Self::DeadLetter => "dead letters",
            Self::Journal => "entries of the journal",
            Self::Note => "notes",
            Self::Heartbeat => "heartbeats of workers",
            Self::Message => "messages on queues",
        })
    }
}

impl Unreadable {
    pub fn new(what: StoredItem, name: impl Into<Vec<u8>>) -> Self {
        Self { what, name: name.into() }
    }

    /// The task that it was of, where its name says so: with a generation after the id, or without.
    pub fn task(&self) -> Option<TaskId> {
        let of_task = matches!(
            self.what,
            StoredItem::Record | StoredItem::Entry | StoredItem::DeadLetter | StoredItem::Message
        );
        let id = self.name.first_chunk::<16>().filter(|_| of_task && matches!(self.name.len(), 16 | 20))?;
        Some(TaskId::from_bytes(*id))
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(id) = self.task() {
            return id.fmt(f);
        }
        if let (StoredItem::Heartbeat, Ok(id)) = (self.what, <[u8; 16]>::try_from(&self.name[..])) {
            return clawpool_core::task::ProcessId::from_bytes(id).fmt(f);
        }
        match std::str::from_utf8(&self.name) {
            Ok(text) => text.escape_debug().fmt(f),
            Err(_) => self.name.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_as_people_know_them() {
        let id = TaskId::new();
        let entry = [&id.as_bytes()[..], &[0, 0, 0, 3]].concat();
        assert_eq!(Unreadable::new(StoredItem::Record, *id.as_bytes()).to_string(), id.to_string());
        assert_eq!(Unreadable::new(StoredItem::Entry, entry).to_string(), id.to_string());
        assert_eq!(Unreadable::new(StoredItem::Journal, "alert:5-0\u{1b}").to_string(), "alert:5-0\\u{1b}");
        assert_eq!(Unreadable::new(StoredItem::Entry, [1, 255]).to_string(), "01ff");
        assert!(StoredItem::ALL.iter().all(|item| StoredItem::of(item.code()) == Some(*item)));
    }
}
