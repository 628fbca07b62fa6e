//! The worker process that is measured, and its handlers.

use std::{
    fs::File,
    io::Write,
    sync::{Arc, mpsc},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, anyhow};
use async_trait::async_trait;
use clawpool_core::task::{Failure, Payload};
use clawpool_engine::worker::{Context, Handler, Worker};
use serde::{Deserialize, Serialize};

/// Does nothing.
pub const NOOP: &str = "load.noop";
/// Takes as many microseconds as its payload says.
pub const REST: &str = "load.rest";
/// Notes its start in the ledger, then takes as long as it is told.
pub const MARK: &str = "load.mark";
/// Names the folder of the ledgers, one file a process.
pub const LEDGER: &str = "CLAWPOOL_LOAD_LEDGER";

pub async fn run() -> Result<()> {
    let mut worker =
        Worker::builder().handler_object(NOOP, Arc::new(Noop)).handler_object(REST, Arc::new(Rest));
    if let Some(folder) = std::env::var_os(LEDGER) {
        let file = std::path::Path::new(&folder).join(std::process::id().to_string());
        worker = worker.handler_object(MARK, Arc::new(Mark { starts: keep(File::create(file)?) }));
    }
    let config = clawpool_core::config::Config::load(
        std::env::var_os("CLAWPOOL_CONFIG").as_ref().map(std::path::Path::new),
        &[],
    )
    .map_err(|error| anyhow!("{error}"))?;
    clawpool_server::telemetry::start_logs(&config.log)?;
    Ok(worker.config(config).run().await?)
}

struct Noop;

#[async_trait]
impl Handler for Noop {
    async fn run(&self, _: Context) -> Result<Payload, Failure> {
        Ok(Payload::null())
    }
}

struct Rest;

#[async_trait]
impl Handler for Rest {
    async fn run(&self, context: Context) -> Result<Payload, Failure> {
        tokio::time::sleep(Duration::from_micros(context.payload()?)).await;
        Ok(Payload::null())
    }
}

/// The payload of a marked task.
#[derive(Debug, Serialize, Deserialize)]
pub struct Marked {
    /// Counts the tasks of a run.
    pub number: u64,
    /// When it was handed to the producer, in nanoseconds since 1970.
    pub at: u64,
    /// How long its handler takes, in microseconds.
    pub takes: u64,
}

/// One start of a marked task, a line of the ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    pub number: u64,
    pub priority: u8,
    pub at: u64,
    pub started: u64,
    pub worker: u32,
}

struct Mark {
    starts: mpsc::Sender<Start>,
}

#[async_trait]
impl Handler for Mark {
    async fn run(&self, context: Context) -> Result<Payload, Failure> {
        let started = nanoseconds();
        let Marked { number, at, takes } = context.payload()?;
        let priority = context.task.priority as u8;
        // The ledger's thread lives as long as the process.
        let _ = self.starts.send(Start { number, priority, at, started, worker: std::process::id() });
        if takes > 0 {
            tokio::time::sleep(Duration::from_micros(takes)).await;
        }
        Ok(Payload::null())
    }
}

/// A thread that writes the ledger, so that no handler waits for a disk; what waits is written at once.
fn keep(mut file: File) -> mpsc::Sender<Start> {
    let (send, starts) = mpsc::channel::<Start>();
    std::thread::spawn(move || {
        while let Ok(first) = starts.recv() {
            let mut text = String::new();
            for start in std::iter::once(first).chain(starts.try_iter()) {
                text.push_str(&serde_json::to_string(&start).unwrap_or_default());
                text.push('\n');
            }
            if let Err(error) = file.write_all(text.as_bytes()) {
                eprintln!("the ledger cannot be written: {error}");
            }
        }
    });
    send
}

pub fn nanoseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
