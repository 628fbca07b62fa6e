//! Made-up tasks, and the two ways in which a case may wait.

use std::time::Duration;

use crate::task::{Message, Payload, Priority, Task, TaskId, Timestamp};

pub(crate) fn message(priority: Priority) -> Message {
    message_with(priority, |_| ())
}

/// A message of a task that `change` has made special.
pub(crate) fn message_with(priority: Priority, change: impl FnOnce(&mut Task)) -> Message {
    let now = Timestamp::now();
    let mut task = Task {
        version: Task::VERSION,
        id: TaskId::new(),
        kind: "test.echo".into(),
        payload: Payload::encode("hello").unwrap(),
        priority,
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
        result_ttl: Duration::from_secs(3600),
        generation: 0,
        handed_on: 0,
        errors: Vec::new(),
    };
    change(&mut task);
    task.to_message().unwrap()
}

/// Waits for something that needs a moment to become true. A case in which it never does is ended by [`guarded`].
pub(crate) async fn eventually(mut probe: impl AsyncFnMut() -> bool) {
    while !probe().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Turns a case that hangs into one that fails.
pub(crate) async fn guarded<T>(case: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), case).await.expect("the case hangs: it waits for what never comes")
}
