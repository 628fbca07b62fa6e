//! Tasks for the measurements, and ways to enqueue many.

use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use clawpool_core::{
    config::Config,
    task::{NewTask, Payload, Priority},
};
use clawpool_engine::dispatch::{Fault, Producer, Rights};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep};

use crate::{raw::BODY, worker::NOOP};

/// Tasks in one call.
pub const BATCH: usize = 1000;
/// How long servers may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
pub const RIGHTS: Rights = Rights { priority: true, token: None };

/// A task that does nothing, with a payload of two hundred bytes.
pub fn noop(priority: Priority) -> Result<NewTask> {
    let payload = Payload::encode(&"x".repeat(BODY - 2))?;
    let hour = Duration::from_secs(3600);
    Ok(NewTask { priority: Some(priority), ttl: Some(hour), ..NewTask::new(NOOP, payload) })
}

pub async fn producer(config: &Config) -> Result<Producer> {
    Ok(Producer::connect(config).await?)
}

/// Enqueues in calls of `batch` tasks, `calls` of them under way.
pub async fn enqueue(
    producer: &Producer,
    task: &NewTask,
    tasks: usize,
    batch: usize,
    calls: usize,
) -> Result<()> {
    let sizes = (0..tasks).step_by(batch).map(|from| batch.min(tasks - from));
    let mut done = stream::iter(sizes)
        .map(|size| async move { accepted(producer, vec![task.clone(); size]).await })
        .buffer_unordered(calls);
    while done.try_next().await?.is_some() {}
    Ok(())
}

/// Fills a queue in calls of a batch, one after the other: what is refused because a server is busy is
/// enqueued again.
pub async fn pour(producer: &Producer, task: &NewTask, tasks: usize) -> Result<()> {
    let mut left = tasks;
    let mut since = Instant::now();
    while left > 0 {
        let answers = producer.enqueue(vec![task.clone(); BATCH.min(left)], RIGHTS).await;
        let count = answers.len();
        let mut pause = None;
        for answer in answers {
            match answer {
                Ok(_) => left -= 1,
                Err(busy) if busy.fault == Fault::Busy => {
                    pause = busy.retry_after.or(Some(Duration::from_millis(500)))
                }
                Err(rejection) => bail!("a task was refused: {rejection:?}"),
            }
        }
        ensure!(
            count > 0 && since.elapsed() < PATIENCE,
            "{left} of {tasks} tasks were not taken for {PATIENCE:?}"
        );
        match pause {
            Some(pause) => sleep(pause).await,
            None => since = Instant::now(),
        }
    }
    Ok(())
}

/// All of them, or an error.
pub async fn accepted(producer: &Producer, tasks: Vec<NewTask>) -> Result<()> {
    let count = tasks.len();
    let answers = producer.enqueue(tasks, RIGHTS).await;
    ensure!(answers.len() == count, "{} answers to {count} tasks", answers.len());
    for answer in answers {
        answer.map_err(|rejection| anyhow!("a task was refused: {rejection:?}"))?;
    }
    Ok(())
}
