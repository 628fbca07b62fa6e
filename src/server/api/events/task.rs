//! One stream about one task.
//!
//! Guarantees: its end is told at once, and the stream ends with it; a change before that within a second or
//! so. Never does: tell the same twice in a row.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::time::{sleep, sleep_until};

use super::{
    frame::{self, HEARTBEAT},
    part::Part,
    stream::PAUSE,
    watched::{Seen, Watcher},
};
use crate::api::Api;
use clawpool_backends::store::{Record, StoreError};
use clawpool_core::task::TaskId;
use clawpool_engine::client::event::{EndReason, OpenView};

/// Then the store is asked again.
const WAIT: Duration = Duration::from_secs(60);

pub(super) struct TaskStream {
    api: Arc<Api>,
    part: Part,
    id: TaskId,
    watcher: Watcher,
    /// For the task's end.
    waiting: BoxFuture<'static, Result<Option<Record>, StoreError>>,
    told: Option<Seen>,
}

impl TaskStream {
    pub(super) fn open(api: Arc<Api>, mut part: Part, record: &Record) -> Self {
        let id = record.id;
        let seen = Seen::of(record);
        let (name, at_ms) = ("open".to_owned(), frame::now());
        let view = OpenView { name, at_ms, topics: Vec::new(), task: Some(id) };
        part.say(frame::open(&view, None));
        let mut stream = Self {
            part,
            id,
            watcher: api.events.tasks.watch(id, &seen),
            waiting: wait(&api, id, Duration::ZERO),
            told: None,
            api,
        };
        stream.tell(seen);
        stream
    }

    /// The next bytes; None after the end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let ControlFlow::Break(bytes) = self.part.next(&self.api) {
                return bytes;
            }
            self.wait().await;
        }
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.watcher.seen.changed() => {
                let seen = self.watcher.seen.borrow_and_update().clone();
                self.tell(seen);
            }
            record = &mut self.waiting => self.heard(record),
            () = self.part.member.ended.cancelled() => {}
            () = self.api.closing.cancelled() => {}
            () = sleep_until(self.part.due()) => self.part.say(HEARTBEAT),
        }
    }

    /// The wait is over; the task may not be.
    fn heard(&mut self, record: Result<Option<Record>, StoreError>) {
        let pause = if record.is_err() { PAUSE } else { Duration::ZERO };
        self.waiting = wait(&self.api, self.id, pause);
        match record {
            Ok(Some(record)) => self.tell(Seen::of(&record)),
            Ok(None) => self.part.end(EndReason::TaskForgotten),
            Err(error) => tracing::debug!(%error, "a task's stream waits for the store"),
        }
    }

    fn tell(&mut self, seen: Seen) {
        if self.told.as_ref().is_some_and(|told| told.is_same(&seen)) {
            return;
        }
        self.part.say(seen.text.clone());
        if seen.is_final {
            self.part.end(EndReason::TaskEnded);
        }
        self.told = Some(seen);
    }
}

fn wait(
    api: &Arc<Api>,
    id: TaskId,
    pause: Duration,
) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
    let api = Arc::clone(api);
    Box::pin(async move {
        sleep(pause).await;
        api.store.wait(id, WAIT).await
    })
}
