//! What a worker costs while there is nothing to do.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;

use crate::support::{Event, Proxy, Servers, System, task};

/// How long the worker is listened to.
const WINDOW: Duration = Duration::from_secs(4);

#[tokio::test]
async fn an_idle_worker_says_nothing_but_that_it_lives() {
    let servers = Servers::shared();
    let mut system = System::apart(0, servers.settings()).await;
    let redis = Proxy::start(server(&servers.redis)).await;
    let rabbitmq = Proxy::start(server(&servers.rabbitmq)).await;
    let through = |url: &str, proxy: &Proxy| url.replace(&server(url), &proxy.address);
    let (redis_url, rabbitmq_url) = (through(&servers.redis, &redis), through(&servers.rabbitmq, &rabbitmq));
    let env = [("CLAWPOOL__REDIS__URL", redis_url.as_str()), ("CLAWPOOL__RABBITMQ__URL", rabbitmq_url.as_str())];
    system.add_worker_with(&env).await;
    // It has worked on every queue before it rests.
    for n in 0..7 {
        let id = system.api.enqueue(task(&format!("P{n}"), json!({}))).await;
        system.ledger.happened(id, Event::Done, 1).await;
    }
    // What ends the work, the last acknowledgements, the consumers' rest and the last look at what is held, is not idleness.
    tokio::time::sleep(Duration::from_secs(3)).await;
    redis.take();
    rabbitmq.take();
    tokio::time::sleep(WINDOW).await;

    let commands: Vec<String> = redis.take().iter().flat_map(|said| commands(said)).collect();
    println!("Redis heard in {WINDOW:?}: {} commands", commands.len());
    let kinds: BTreeSet<&String> = commands.iter().collect();
    assert!(kinds.len() == 1, "more than heartbeats: {kinds:?}");
    for said in rabbitmq.take() {
        let kinds = frames(&said);
        assert!(kinds.iter().all(|kind| *kind == HEARTBEAT), "RabbitMQ heard more than heartbeats: {kinds:?}");
    }
    memory(system.workers[0].pid());
    system.stop().await;
}

/// host:port of an address.
fn server(url: &str) -> String {
    let url = reqwest::Url::parse(url).unwrap();
    format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())
}

/// Of each command its name and, for a script, which one: the first two words of RESP arrays.
fn commands(said: &[u8]) -> Vec<String> {
    let mut words = said.split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).trim_end().to_owned());
    let mut commands = Vec::new();
    while let Some(line) = words.next() {
        if line.starts_with('*') {
            // Each word follows its length.
            commands.push(format!("{} {}", words.nth(1).unwrap_or_default(), words.nth(1).unwrap_or_default()));
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
    let (all, own) = (kib("VmRSS:"), kib("RssAnon:"));
    println!("an idle worker's resident memory: {all} KiB, of them {own} KiB its own and not the program's file");
    if !cfg!(debug_assertions) {
        assert!(all <= 20 * 1024, "more than 20 MiB: {all} KiB");
    }
}

#[cfg(not(target_os = "linux"))]
fn memory(_: u32) {}
