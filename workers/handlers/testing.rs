//! An attempt as handlers see it, for their tests.

// The tests that run shell scripts are Unix's alone.
#![cfg_attr(not(unix), allow(dead_code))]

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use clawpool_core::{
    config,
    task::{Payload, Priority, Task, TaskId, Timestamp},
};
use clawpool_engine::worker::{Context, Progress};

pub(super) struct Attempt {
    pub(super) context: Context,
    progress: Progress,
    cancelled: CancellationToken,
}

impl Attempt {
    pub(super) fn new(payload: &impl Serialize) -> Self {
        Self::with_timeout(payload, Duration::from_secs(300))
    }

    pub(super) fn with_timeout(payload: &impl Serialize, timeout: Duration) -> Self {
        let progress = Progress::default();
        let cancelled = CancellationToken::new();
        let context = Context::new(
            Arc::new(task(payload)),
            Instant::now() + timeout,
            cancelled.clone(),
            progress.clone(),
        );
        Self { context, progress, cancelled }
    }

    /// The handler's next news, as the next heartbeat would carry them.
    pub(super) async fn news(&self) -> (TaskId, String) {
        loop {
            if let Some(news) = self.progress.take().pop() {
                return news;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) fn cancel(&self) {
        self.cancelled.cancel();
    }
}

fn task(payload: &impl Serialize) -> Task {
    Task {
        version: Task::VERSION,
        id: TaskId::new(),
        enqueued_by: None,
        kind: "test.kind".into(),
        payload: Payload::encode(payload).unwrap(),
        priority: Priority::P4,
        queue: None,
        tenant: Some("acme".into()),
        tier: None,
        session: None,
        enqueued_at: Timestamp::now(),
        not_before: None,
        expires_at: Timestamp::now() + Duration::from_secs(3600),
        attempt: 1,
        max_attempts: None,
        retry: None,
        timeout: Duration::from_secs(300),
        unique_key: None,
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        trace_state: Some("rojo=00f067aa0ba902b7".into()),
        meta: Default::default(),
        result_ttl: Duration::from_secs(1),
        generation: 1,
        handed_on: 0,
        errors: vec![],
    }
}

pub(super) fn exec(command: &[&str]) -> config::Exec {
    config::Exec {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        dir: None,
        env: Default::default(),
        pass_env: vec![],
        retry_codes: vec![75],
        fatal_codes: vec![64, 65, 77, 78],
    }
}

pub(super) fn http(url: &str) -> config::Http {
    config::Http { url: url.to_owned(), headers: Default::default(), connect_timeout: Duration::from_secs(5) }
}
