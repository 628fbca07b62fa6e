//! apalis on Redis: a producer (`produce noop COUNT | mark COUNT MILLISECONDS | sleep SECONDS` prints the
//! seconds it took; bulk pushes of 1,000) and a worker that tells whoever measures it what happens: lines in
//! the file `PEER_LEDGER`.

use std::{
    env::{args, var},
    io::Write,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use apalis::prelude::*;
use apalis_redis::{Config, RedisStorage};

static RUNS: AtomicU64 = AtomicU64::new(0);
static FIRST: OnceLock<Instant> = OnceLock::new();

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["worker"] => consume().await,
        ["produce", what, number] => produce(what, number.parse()?, 0).await,
        ["produce", what, number, pause] => produce(what, number.parse()?, pause.parse()?).await,
        _ => bail!("worker | produce WHAT NUMBER [MILLISECONDS]"),
    }
}

/// The best documented settings for many short tasks; otherwise the defaults, as they decide what a crash
/// costs.
fn fast() -> bool {
    var("PEER_SETTINGS").is_ok_and(|settings| settings == "fast")
}

async fn storage() -> Result<RedisStorage<String>> {
    let mut config = Config::default().queue(var("PEER_QUEUE")?);
    if fast() {
        config = config.batch_size(1000).persist_results(false).emit_events(false).lock_tasks(false);
    }
    Ok(RedisStorage::new(apalis_redis::connect(var("PEER_SERVER")?).await?).with_config(config))
}

async fn produce(what: &str, number: usize, pause: u64) -> Result<()> {
    let mut storage = storage().await?;
    let body = "x".repeat(200);
    let mut started = Instant::now();
    match what {
        "noop" => {
            // Connections are made by the first call, which does not count.
            storage.push(body.clone()).await?;
            started = Instant::now();
            for from in (1..number).step_by(1000) {
                storage.push_bulk(vec![body.clone(); 1000.min(number - from)]).await?;
            }
        }
        "mark" => {
            for _ in 0..number {
                storage.push(format!("mark {}", nanoseconds())).await?;
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        }
        _ => storage.push(format!("sleep {number}")).await?,
    }
    println!("{}", started.elapsed().as_secs_f64());
    Ok(())
}

async fn consume() -> Result<()> {
    let name = format!("worker-{}", std::process::id());
    let worker = WorkerBuilder::new(name).backend(storage().await?);
    let ready = |_: &WorkerContext, event: &Event| {
        if matches!(event, Event::Start) {
            write("ready");
        }
    };
    if fast() {
        worker.concurrency(1000).on_event(ready).build(work).run().await?;
    } else {
        worker.on_event(ready).build(work).run().await?;
    }
    Ok(())
}

async fn work(body: String) -> Result<(), BoxDynError> {
    match body.split_once(' ') {
        Some(("sleep", seconds)) => {
            write("started");
            tokio::time::sleep(Duration::from_secs(seconds.parse()?)).await;
        }
        Some(("mark", at)) => {
            let waited = nanoseconds().saturating_sub(at.parse()?);
            write(&format!("mark {}", waited as f64 / 1e9));
        }
        _ => count(),
    }
    Ok(())
}

fn count() {
    let first = FIRST.get_or_init(Instant::now);
    if RUNS.fetch_add(1, Ordering::Relaxed) + 1 == tasks() {
        write(&format!("drained {}", first.elapsed().as_secs_f64()));
    }
}

fn tasks() -> u64 {
    static TASKS: OnceLock<u64> = OnceLock::new();
    *TASKS.get_or_init(|| var("PEER_TASKS").ok().and_then(|tasks| tasks.parse().ok()).unwrap_or(0))
}

fn write(line: &str) {
    let written = var("PEER_LEDGER").context("PEER_LEDGER").and_then(|path| {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        Ok(writeln!(file, "{line}")?)
    });
    if let Err(error) = written {
        eprintln!("the ledger cannot be written: {error:#}");
    }
}

fn nanoseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
