//! One stream about one task.
//!
//! Guarantees: its end is told at once, and the stream ends with it; a change before that within a second or
//! so. Never does: tell the same twice in a row.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Part,
    frame::{self, HEARTBEAT},
    stream::{PAUSE, SILENCE},
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
    ready: VecDeque<Bytes>,
    due: Instant,
    over: bool,
}

impl TaskStream {
    pub(super) fn open(api: Arc<Api>, part: Part, record: &Record) -> Self {
        let id = record.id;
        let seen = Seen::of(record);
        let (name, at_ms) = ("open".to_owned(), frame::now());
        let view = OpenView { name, at_ms, topics: Vec::new(), task: Some(id) };
        let mut stream = Self {
            part,
            id,
            watcher: api.events.tasks.watch(id, &seen),
            waiting: wait(&api, id, Duration::ZERO),
            told: None,
            ready: [frame::open(&view, None)].into(),
            due: Instant::now(),
            over: false,
            api,
        };
        stream.tell(seen);
        stream
    }

    /// The next bytes; None after the end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.part.member.beat();
            if let Some(bytes) = self.ready.pop_front() {
                self.due = Instant::now() + SILENCE;
                return Some(bytes);
            }
            if self.over {
                return None;
            }
            match self.part.end(&self.api) {
                Some(reason) => self.end(reason),
                None => self.wait().await,
            }
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
            () = sleep_until(self.due) => self.ready.push_back(HEARTBEAT),
        }
    }

    /// The wait is over; the task may not be.
    fn heard(&mut self, record: Result<Option<Record>, StoreError>) {
        let pause = if record.is_err() { PAUSE } else { Duration::ZERO };
        self.waiting = wait(&self.api, self.id, pause);
        match record {
            Ok(Some(record)) => self.tell(Seen::of(&record)),
            Ok(None) => self.end(EndReason::TaskForgotten),
            Err(error) => tracing::debug!(%error, "a task's stream waits for the store"),
        }
    }

    fn tell(&mut self, seen: Seen) {
        if self.told.as_ref().is_some_and(|told| told.is_same(&seen)) {
            return;
        }
        self.ready.push_back(seen.text.clone());
        if seen.is_final {
            self.end(EndReason::TaskEnded);
        }
        self.told = Some(seen);
    }

    fn end(&mut self, reason: EndReason) {
        self.ready.push_back(frame::end(reason));
        self.over = true;
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
