//! Tasks that are followed one by one: a steady load of them, and the ledger that the workers' handlers keep.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use clawpool_backends::store;
use clawpool_core::task::{NewTask, Payload, Priority, Queue};
use clawpool_engine::dispatch::Producer;
use tokio::time::{Instant, interval, sleep};

use super::tasks;
use crate::{
    process::Process,
    rounds::Figure,
    site::Pool,
    worker::{LEDGER, MARK, Marked, Start, nanoseconds},
};

/// How often the load is topped up.
const TICK: Duration = Duration::from_millis(5);
/// How long nothing may be completed.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Ledger {
    folder: PathBuf,
}

impl Ledger {
    pub fn new(pool: &Pool) -> Result<Self> {
        let folder = pool.site().folder().join(format!("{}-ledger", pool.prefix));
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// A worker that writes to it.
    pub fn worker(&self, pool: &Pool) -> Result<Process> {
        Process::start(pool, &["worker"], &[(LEDGER, self.folder.as_os_str())])
    }

    /// The first start of each of these tasks, all of which ran.
    pub fn firsts(&self, tasks: u64) -> Result<Vec<Start>> {
        let starts = self.starts()?;
        ensure!(starts.len() as u64 == tasks, "{} of {tasks} tasks are in the ledger", starts.len());
        Ok(starts.into_values().filter_map(|starts| starts.into_iter().next()).collect())
    }

    /// Every start of every task, by the task's number.
    pub fn starts(&self) -> Result<HashMap<u64, Vec<Start>>> {
        let mut starts: HashMap<u64, Vec<Start>> = HashMap::new();
        for file in std::fs::read_dir(&self.folder)? {
            // A killed worker may leave half a line.
            let text = std::fs::read_to_string(file?.path())?;
            for start in text.lines().filter_map(|line| serde_json::from_str::<Start>(line).ok()) {
                starts.entry(start.number).or_default().push(start);
            }
        }
        starts.values_mut().for_each(|starts| starts.sort_by_key(|start| start.started));
        Ok(starts)
    }
}

/// So many tasks a second for so long, whether or not the workers keep up. `task` makes each from its number.
/// Returns how many they were.
pub async fn steady(
    producer: &Producer,
    per_second: f64,
    span: Duration,
    mut task: impl FnMut(u64) -> Result<NewTask>,
) -> Result<u64> {
    let started = Instant::now();
    let mut ticks = interval(TICK);
    let mut number = 0u64;
    let mut calls = tokio::task::JoinSet::new();
    while started.elapsed() < span {
        ticks.tick().await;
        let due = (started.elapsed().as_secs_f64() * per_second) as u64;
        let batch: Vec<NewTask> = (number..due).map(&mut task).collect::<Result<_>>()?;
        number = number.max(due);
        if !batch.is_empty() {
            let producer = producer.clone();
            calls.spawn(async move { tasks::accepted(&producer, batch).await });
        }
    }
    while let Some(call) = calls.join_next().await {
        call??;
    }
    Ok(number)
}

pub fn mark(number: u64, priority: Priority, takes: Duration) -> Result<NewTask> {
    let takes = u64::try_from(takes.as_micros())?;
    let payload = Payload::encode(&Marked { number, at: nanoseconds(), takes })?;
    Ok(NewTask {
        priority: Some(priority),
        ttl: Some(Duration::from_secs(3600)),
        ..NewTask::new(MARK, payload)
    })
}

/// Waits until so many tasks of a pool are completed, whatever their queue.
pub async fn completed(pool: &Pool, tasks: u64) -> Result<()> {
    completed_on(pool, &Queue::CLASSES, tasks).await
}

/// Waits until so many tasks of these queues are completed.
pub async fn completed_on(pool: &Pool, queues: &[Queue], tasks: u64) -> Result<()> {
    let store = store::open(&pool.config).await?;
    let mut deadline = Instant::now() + PATIENCE;
    let mut before = 0;
    loop {
        let totals = store.totals().await?;
        let done: u64 =
            queues.iter().filter_map(|queue| totals.get(queue)).map(|totals| totals.completed).sum();
        if done >= tasks {
            return Ok(());
        }
        if done > before {
            before = done;
            deadline = Instant::now() + PATIENCE;
        }
        ensure!(
            Instant::now() < deadline,
            "{done} of {tasks} tasks were completed, and then none for a minute"
        );
        sleep(Duration::from_millis(10)).await;
    }
}

/// How long the first starts of a priority's tasks kept them waiting, in milliseconds.
pub fn waits<'a>(starts: impl IntoIterator<Item = &'a Start>, priority: Priority) -> Vec<f64> {
    let of = starts.into_iter().filter(|start| start.priority == priority as u8);
    of.map(|start| start.started.saturating_sub(start.at) as f64 / 1e6).collect()
}

/// Of waits, as figures of this name.
pub fn quantiles(name: &str, waits: &mut [f64]) -> Vec<Figure> {
    let quantile = |(text, part)| Figure::new(format!("{name} {text}"), "ms", quantile(waits, part));
    [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)].map(quantile).into()
}

/// The value that so large a part of them does not pass.
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * part).ceil() as usize;
    values.get(at.clamp(1, values.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
}
