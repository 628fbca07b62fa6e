//! Messages as Redis holds them, on queues and in the schedule set.

use bytes::Bytes;

use clawpool_core::task::{Message, Priority, TaskId, Timestamp};

/// Names one message among Redis's values: the task's id and its generation, so that generations never collide.
pub(crate) type Entry = [u8; 20];

pub fn entry(id: TaskId, generation: u32) -> Entry {
    let mut entry = [0; 20];
    entry[..16].copy_from_slice(id.as_bytes());
    entry[16..].copy_from_slice(&generation.to_be_bytes());
    entry
}

pub(crate) fn parts(entry: &[u8]) -> Option<(TaskId, u32)> {
    let (id, generation) = entry.split_first_chunk::<16>()?;
    Some((TaskId::from_bytes(*id), u32::from_be_bytes(generation.try_into().ok()?)))
}

/// One byte of priority, then enqueued_at and expires_at, 8 bytes each: what scripts and consumers need of a message
/// without decoding its body, which follows.
const HEADER: usize = 17;

pub(crate) fn pack(message: &Message) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER + message.body.len());
    value.push(message.priority as u8);
    value.extend_from_slice(&message.enqueued_at.as_millis().to_be_bytes());
    value.extend_from_slice(&message.expires_at.as_millis().to_be_bytes());
    value.extend_from_slice(&message.body);
    value
}

/// The message of an entry and its value. `None` for bytes that nobody here has written.
pub(crate) fn unpack(entry: &[u8], value: &Bytes) -> Option<Message> {
    let (id, generation) = parts(entry)?;
    let (header, _) = value.split_first_chunk::<HEADER>()?;
    let time = |at: usize| header[at..].first_chunk::<8>().map(|b| Timestamp::from_millis(u64::from_be_bytes(*b)));
    Some(Message {
        id,
        generation,
        priority: Priority::from_index(header[0].into())?,
        enqueued_at: time(1)?,
        expires_at: time(9)?,
        body: value.slice(HEADER..),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_and_garbage_is_refused() {
        let message = Message {
            id: TaskId::new(),
            generation: 7,
            priority: Priority::P3,
            enqueued_at: Timestamp::from_millis(1_700_000_000_123),
            expires_at: Timestamp::from_millis(1_700_000_300_123),
            body: Bytes::from_static(b"body"),
        };
        let entry = entry(message.id, message.generation);
        assert_eq!(unpack(&entry, &pack(&message).into()).unwrap(), message);
        for (entry, value) in [(&entry[..], &b""[..]), (&entry[..19], &[0; 40]), (&entry[..], &[9; 40])] {
            assert!(unpack(entry, &Bytes::copy_from_slice(value)).is_none());
        }
    }
}
