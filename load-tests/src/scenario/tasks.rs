//! Tasks for the measurements, and ways to enqueue many.

use anyhow::{Result, anyhow, ensure};
use clawpool::{
    config::Config,
    dispatch::{Producer, Rights},
    task::{NewTask, Payload, Priority},
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{raw::BODY, worker::NOOP};

/// Tasks in one call.
pub const BATCH: usize = 1000;
pub const RIGHTS: Rights = Rights { priority: true };

/// A task that does nothing, with a payload of two hundred bytes.
pub fn noop(priority: Priority) -> Result<NewTask> {
    let payload = Payload::encode(&"x".repeat(BODY - 2))?;
    let hour = std::time::Duration::from_secs(3600);
    Ok(NewTask { priority: Some(priority), ttl: Some(hour), ..NewTask::new(NOOP, payload) })
}

pub async fn producer(config: &Config) -> Result<Producer> {
    Ok(Producer::connect(config).await?)
}

/// Enqueues in calls of `batch` tasks, `calls` of them under way.
pub async fn enqueue(producer: &Producer, task: &NewTask, tasks: usize, batch: usize, calls: usize) -> Result<()> {
    let sizes = (0..tasks).step_by(batch).map(|from| batch.min(tasks - from));
    let mut done = stream::iter(sizes)
        .map(|size| async move { accepted(producer, vec![task.clone(); size]).await })
        .buffer_unordered(calls);
    while done.try_next().await?.is_some() {}
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
