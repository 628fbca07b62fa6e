//! Made-up tasks, the two ways in which a case may wait, and what it said to the log.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing::subscriber::{DefaultGuard, set_default};

use crate::store::Admission;
use clawpool_core::task::{Lane, Message, Payload, Priority, Queue, Task, TaskId, Timestamp};

pub fn message(priority: Priority) -> Message {
    message_with(priority, |_| ())
}

/// An id that does not tell when it was made.
pub fn other_id() -> TaskId {
    let mut bytes = *TaskId::new().as_bytes();
    bytes.reverse();
    // Above all that do tell it.
    bytes[0] |= 0x80;
    bytes[6] = 0x80 | bytes[6] & 0x0f;
    bytes[8] = 0x80 | bytes[8] & 0x3f;
    TaskId::from_bytes(bytes)
}

/// It is to be accepted as new, and to run now.
pub fn admission(message: &Message) -> Admission {
    Admission {
        message: message.clone(),
        kind: "test.echo".into(),
        tenant: None,
        enqueued_by: None,
        unique_key: None,
        at: None,
        fingerprint: None,
    }
}

/// A queue of a user's own, beside that of its priority.
pub fn own_queue() -> Queue {
    Queue::new("llm.calls", Priority::P5, Lane::Normal).unwrap()
}

/// The queues of the priorities, and one of a user's own.
pub fn queues() -> [Queue; Queue::CLASSES.len() + 1] {
    let mut all = [own_queue(); Queue::CLASSES.len() + 1];
    all[..Queue::CLASSES.len()].copy_from_slice(&Queue::CLASSES);
    all
}

/// A message for a queue.
pub fn message_on(queue: Queue) -> Message {
    message_with(queue.priority(), |task| task.queue = queue.own())
}

/// A message of a task that `change` has made special.
pub fn message_with(priority: Priority, change: impl FnOnce(&mut Task)) -> Message {
    let now = Timestamp::now();
    let mut task = Task {
        version: Task::VERSION,
        id: TaskId::new(),
        enqueued_by: None,
        kind: "test.echo".into(),
        payload: Payload::encode("hello").unwrap(),
        priority,
        queue: None,
        tenant: None,
        tier: None,
        session: None,
        enqueued_at: now,
        not_before: None,
        expires_at: now + Duration::from_secs(3600),
        attempt: 0,
        max_attempts: None,
        retry: None,
        timeout: Duration::from_secs(60),
        unique_key: None,
        trace: None,
        trace_state: None,
        meta: Default::default(),
        result_ttl: Duration::from_secs(3600),
        generation: 0,
        handed_on: 0,
        errors: Vec::new(),
    };
    change(&mut task);
    task.to_message().unwrap()
}

/// What this thread, and so all of a single-threaded test, says to the log.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// For as long as the guard lives.
    pub fn capture() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, set_default(subscriber))
    }

    /// In how many lines it said so.
    pub fn count(&self, part: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap()).lines().filter(|line| line.contains(part)).count()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
