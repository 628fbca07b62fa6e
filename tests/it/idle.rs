//! What a worker costs while there is nothing to do.

use std::{collections::BTreeSet, time::Duration};

use lapin::{options::QueueDeclareOptions, types::FieldTable};
use serde_json::json;

use crate::support::{Event, Proxy, Servers, System, task};

/// How long the worker is listened to.
const WINDOW: Duration = Duration::from_secs(4);
/// Its links to Redis that give a sign of life each second: for tasks, for queues, for the lease.
const LINKS: usize = 3;
/// Its queues on Redis, for whose bells it waits two seconds at a time.
const BELLS: usize = 2;
/// All that Redis hears. Each heartbeat names its connection.
const KNOWN: [&str; 4] = ["EVALSHA", "PING", "BLPOP", "CLIENT SETNAME"];

#[tokio::test]
async fn an_idle_worker_says_nothing_but_that_it_lives() {
    let servers = Servers::shared();
    idle(&servers, System::apart(0, servers.settings()).await).await;
}

#[tokio::test]
async fn a_thousand_empty_queues_cost_an_idle_worker_nothing() {
    let lanes = ["critical", "normal"];
    let queue =
        |n: usize| format!("[[queues]]\nname = \"q.{n}\"\npriority = \"P3\"\nlane = {:?}\n", lanes[n % 2]);
    let servers = Servers::shared();
    let settings = servers.settings().with(&(0..1_000).map(queue).collect::<String>());
    let system = System::apart(0, settings).await;
    idle(&servers, system).await;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let name = format!("{}.v1.q.1", servers.prefix).into();
    let declared = servers.amqp().await.queue_declare(name, passive, FieldTable::default()).await;
    assert!(declared.is_err(), "a queue is declared at its first task");
}

async fn idle(servers: &Servers, mut system: System) {
    let (redis, redis_url) = Proxy::before(&servers.redis).await;
    let (rabbitmq, rabbitmq_url) = Proxy::before(&servers.rabbitmq).await;
    let env =
        [("CLAWPOOL__REDIS__URL", redis_url.as_str()), ("CLAWPOOL__RABBITMQ__URL", rabbitmq_url.as_str())];
    system.add_worker_with(&env).await;
    // It has worked on every queue before it rests.
    for n in 0..7 {
        let id = system.api.enqueue(task(&format!("P{n}"), json!({}))).await;
        system.ledger.happened(id, Event::Done, 1).await;
    }
    // What ends the work, the last acknowledgements, the consumers' rest and the last look at what is held,
    // is not idleness.
    tokio::time::sleep(Duration::from_secs(3)).await;
    redis.take();
    rabbitmq.take();
    tokio::time::sleep(WINDOW).await;

    let commands: Vec<String> = redis.take().iter().flat_map(|said| commands(said)).collect();
    println!("Redis heard in {WINDOW:?}: {} commands", commands.len());
    let mut scripts: Vec<&String> =
        commands.iter().filter(|command| command.starts_with("EVALSHA")).collect();
    scripts.sort_unstable();
    scripts.dedup();
    assert!(scripts.len() <= 2, "more scripts than heartbeats and looks at queues: {scripts:?}");
    for (kind, limit) in [("PING", LINKS), ("BLPOP", BELLS)] {
        let count = commands.iter().filter(|command| command.starts_with(kind)).count();
        println!("of them {count} {kind}");
        assert!(count <= limit * (WINDOW.as_secs() as usize + 1), "{count} {kind} in {WINDOW:?}");
    }
    let others: BTreeSet<&String> =
        commands.iter().filter(|command| !KNOWN.iter().any(|known| command.starts_with(known))).collect();
    assert!(others.is_empty(), "more than heartbeats, signs of life and waits: {others:?}");
    for said in rabbitmq.take() {
        let kinds = frames(&said);
        assert!(
            kinds.iter().all(|kind| *kind == HEARTBEAT),
            "RabbitMQ heard more than heartbeats: {kinds:?}"
        );
    }
    memory(system.workers[0].pid());
    system.stop().await;
}

/// Of each command its name and first argument (for a script: which one), out of RESP arrays.
fn commands(said: &[u8]) -> Vec<String> {
    let mut lines =
        said.split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).trim_end().to_owned());
    let mut commands = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix('*').and_then(|count| count.parse::<usize>().ok()) {
            // Each word follows its length.
            let words: Vec<_> = (0..words.min(2)).filter_map(|_| lines.nth(1)).collect();
            commands.push(words.join(" "));
        }
    }
    commands
}

const HEARTBEAT: u8 = 8;

/// The types of AMQP frames: type, channel (2 bytes), size (4 bytes), payload, end.
fn frames(said: &[u8]) -> Vec<u8> {
    let mut rest = said;
    let mut types = Vec::new();
    while let [kind, _, _, a, b, c, d, ..] = rest {
        types.push(*kind);
        let size = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        rest = rest.get(8 + size..).unwrap_or_default();
    }
    types
}

/// Printed; a build with debug information inside is larger than what users run.
#[cfg(target_os = "linux")]
fn memory(pid: u32) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kib = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let all = kib("VmRSS:");
    let own = kib("RssAnon:");
    println!(
        "an idle worker's resident memory: {all} KiB, of them {own} KiB its own and not the program's file"
    );
    if !cfg!(debug_assertions) {
        assert!(all <= 20 * 1024, "more than 20 MiB: {all} KiB");
    }
}

#[cfg(not(target_os = "linux"))]
fn memory(_: u32) {}
