//! What the first page of every list costs where there is much: with 1,000,000 records and 100,000 dead
//! letters, in the embedded file, and on Redis where one is given. It fills a store by the path that
//! producers use, serves the API over it, and prints how long each first page takes, of several requests the
//! middle one.
//!
//! `cargo run --release -p clawpool-load --bin lists -- --redis redis://127.0.0.1:6379/0`

use std::{fmt::Write, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use clawpool_backends::{
    path::{self, Offered, Servers},
    store::{Admission, DeadLetter},
};
use clawpool_core::{
    config::{Backend, Config, Profile, Synchronous},
    task::{DeadReason, ErrorClass, Failure, Message, Payload, Priority, Task, TaskId, Timestamp},
};
use clawpool_engine::{client::Client, dispatch::Producer, live::Live};
use clawpool_server::api::Api;
use serde_json::Value;
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

/// What to fill the stores with.
#[derive(Debug, Parser)]
struct Wish {
    #[arg(long, default_value_t = 1_000_000)]
    records: usize,
    #[arg(long, default_value_t = 100_000)]
    letters: usize,
    /// Requests of each list
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// A Redis to fill, under a prefix of its own; without it only the file is measured
    #[arg(long)]
    redis: Option<String>,
}

/// Tasks in one call.
const BATCH: usize = 1_000;
const HOUR: Duration = Duration::from_hours(1);

/// The lists, and what their tasks are looked for by. None of the last three of tasks finds anything near.
const LISTS: [&str; 14] = [
    "v1/tasks",
    "v1/tasks?limit=1000",
    "v1/tasks?state=queued&kind=email.*",
    "v1/tasks?tenant=t7",
    "v1/tasks?session=s7",
    "v1/tasks?tag=origin%3Dweb",
    "v1/tasks?text=nobody",
    "v1/tasks?tenant=nobody",
    "v1/tasks/counts",
    "v1/scheduled",
    "v1/dead",
    "v1/dead?kind=email.*",
    "v1/dead?text=nobody",
    "v1/alerts",
];

#[tokio::main]
async fn main() -> Result<()> {
    let wish = Wish::parse();
    println!("{} records, {} dead letters; the first page of each list, in ms\n", wish.records, wish.letters);
    let folder = tempfile::tempdir()?;
    let mut config = Config::default();
    config.embedded.data = folder.path().into();
    config.embedded.synchronous = Synchronous::Normal;
    measure("embedded file", config, &wish).await?;
    if let Some(url) = &wish.redis {
        let mut config = Config { profile: Profile::Cluster, ..Config::default() };
        config.redis.url = url.clone().into();
        config.redis.prefix = format!("lists-{}", TaskId::new());
        let lanes = &mut config.lanes;
        for lane in [&mut lanes.critical, &mut lanes.high, &mut lanes.normal, &mut lanes.background] {
            *lane = Backend::Redis;
        }
        measure("Redis", config, &wish).await?;
    }
    Ok(())
}

async fn measure(name: &str, config: Config, wish: &Wish) -> Result<()> {
    let live = Live::from(config);
    let servers = path::open(&live.now()).await?;
    let began = Instant::now();
    fill(&servers, wish).await?;
    eprintln!("{name}: filled in {:.0} s", began.elapsed().as_secs_f64());
    let producer = Producer::following(&live, Arc::clone(&servers.path), Arc::clone(&servers.store));
    let api = Api::new(producer, Arc::clone(&servers.broker), Arc::clone(&servers.store), live);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let closing = CancellationToken::new();
    let serving = tokio::spawn(api.serve(listener, closing.clone()));
    let client = Client::new(&url, None)?;
    println!("| {name} | ms | shown | looked at |\n|---|---|---|---|");
    for list in LISTS {
        println!("{}", first_page(&client, list, wish.rounds).await?);
    }
    let (id, _) = newest(&client).await?;
    println!("{}\n", first_page(&client, &format!("v1/tasks/{}", &id[28..]), wish.rounds).await?);
    closing.cancel();
    Ok(serving.await??)
}

async fn newest(client: &Client) -> Result<(String, Value)> {
    let page: Value = client.get("v1/tasks?limit=1", &[]).await?;
    let id = page["items"][0]["id"].as_str().context("there is a task")?.to_owned();
    Ok((id, page))
}

/// As a row: the whole request, as its caller sees it, with the connection kept.
async fn first_page(client: &Client, list: &str, rounds: usize) -> Result<String> {
    let mut times = Vec::new();
    let mut page = Value::Null;
    for _ in 0..=rounds {
        let began = Instant::now();
        page = client.get(list, &[]).await?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    // The first one opens the connection and prepares statements.
    times.remove(0);
    times.sort_by(f64::total_cmp);
    let mut row = format!("| `GET /{list}` | {:.1} |", times[times.len() / 2]);
    let shown = page["items"].as_array().map_or_else(|| "-".to_owned(), |items| items.len().to_string());
    let looked_at = page["looked_at"].as_u64().map_or_else(|| "-".to_owned(), |count| count.to_string());
    write!(row, " {shown} | {looked_at} |")?;
    Ok(row)
}

async fn fill(servers: &Servers, wish: &Wish) -> Result<()> {
    let numbers: Vec<usize> = (0..wish.records).collect();
    for batch in numbers.chunks(BATCH) {
        let tasks = batch.iter().map(|number| admission(*number)).collect::<Result<Vec<_>>>()?;
        let answers = servers.path.offer(&tasks).await;
        ensure!(
            answers.iter().all(|answer| matches!(answer, Offered::New)),
            "a task was refused: {answers:?}"
        );
    }
    let numbers: Vec<usize> = (0..wish.letters).collect();
    for batch in numbers.chunks(BATCH) {
        let letters = batch.iter().map(|number| letter(*number)).collect::<Result<Vec<_>>>()?;
        servers.store.add_dead_letters(&letters).await?;
    }
    Ok(())
}

fn kind(number: usize) -> String {
    ["email.send", "voice.call", "clawpool.noop"][number % 3].to_owned()
}

fn message(number: usize) -> Result<Message> {
    let now = Timestamp::now();
    let task = Task {
        version: Task::VERSION,
        id: TaskId::new(),
        enqueued_by: None,
        kind: kind(number),
        payload: Payload::encode(&[("to", format!("user-{number}@example.org")), ("body", "x".repeat(150))])?,
        priority: Priority::P4,
        queue: None,
        tenant: Some(format!("t{}", number % 10)),
        tier: None,
        session: Some(format!("s{}", number % 100)),
        enqueued_at: now,
        not_before: None,
        expires_at: now + 24 * HOUR,
        attempt: 0,
        max_attempts: None,
        retry: None,
        timeout: HOUR,
        unique_key: None,
        trace: None,
        trace_state: None,
        meta: [("origin".to_owned(), ["web", "ftp"][number % 2].to_owned())].into(),
        result_ttl: HOUR,
        generation: 0,
        handed_on: 0,
        errors: Vec::new(),
    };
    Ok(task.to_message()?)
}

/// One of fifty is due later.
fn admission(number: usize) -> Result<Admission> {
    Ok(Admission {
        message: message(number)?,
        kind: kind(number),
        tenant: Some(format!("t{}", number % 10)),
        enqueued_by: None,
        unique_key: None,
        fingerprint: None,
        at: number.is_multiple_of(50).then(|| Timestamp::now() + HOUR),
    })
}

fn letter(number: usize) -> Result<DeadLetter> {
    Ok(DeadLetter {
        message: message(number)?,
        kind: kind(number),
        tenant: Some(format!("t{}", number % 10)),
        reason: DeadReason::Fatal,
        failure: Failure::new(ErrorClass::Network, "the line is dead"),
        crashes: 0,
        died_at: Timestamp::now(),
    })
}
