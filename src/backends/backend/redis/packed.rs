//! Messages as Redis holds them, on queues and in the schedule set.

use bytes::{BufMut, Bytes};

use super::layout::{Header, Name};
use serde::Deserialize;

use clawpool_core::task::{Message, Queue, TaskId};

/// Names one message among Redis's values.
pub(crate) type Entry = [u8; Name::WIDTH];

pub fn entry(id: TaskId, generation: u32) -> Entry {
    let mut entry = [0; Name::WIDTH];
    Name { id, generation }.put(&mut &mut entry[..]);
    entry
}

/// None for what is no entry.
pub(crate) fn parts(entry: &[u8]) -> Option<(TaskId, u32)> {
    let mut rest = entry;
    let Name { id, generation } = Name::take(&mut rest)?;
    rest.is_empty().then_some((id, generation))
}

pub(crate) fn pack(message: &Message) -> Vec<u8> {
    let header =
        Header { priority: message.priority(), enqueued: message.enqueued_at, expires: message.expires_at };
    let mut value = Vec::with_capacity(Header::WIDTH + message.body.len());
    header.put(&mut value);
    value.put_slice(&message.body);
    value
}

/// The message of an entry and its value. `None` for bytes that this program has not written.
pub(crate) fn unpack(entry: &[u8], value: &Bytes) -> Option<Message> {
    let message = unpack_header(entry, value)?;
    let queue = own_queue(&message.body).unwrap_or(message.queue);
    Some(Message { queue, ..message })
}

/// The same without a look into the body, which alone names a queue of a user's own: here it is that of the
/// priority.
pub(crate) fn unpack_header(entry: &[u8], value: &Bytes) -> Option<Message> {
    let (id, generation) = parts(entry)?;
    let mut body = value.clone();
    let Header { priority, enqueued, expires } = Header::take(&mut body)?;
    Some(Message {
        id,
        generation,
        queue: priority.queue(),
        enqueued_at: enqueued,
        expires_at: expires,
        body,
    })
}

/// None also where the body is no task.
fn own_queue(body: &[u8]) -> Option<Queue> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(default)]
        queue: Option<Queue>,
    }
    rmp_serde::from_slice::<Named>(body).ok()?.queue
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_core::task::Timestamp;

    #[test]
    fn a_message_survives_and_garbage_is_refused() {
        let message = Message {
            id: TaskId::new(),
            generation: 7,
            queue: Queue::P3,
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
