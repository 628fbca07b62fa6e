//! Kills one node after the other, and judges.

use std::time::{Duration, Instant};

use clap::Parser;
use tokio_util::sync::CancellationToken;

use super::{
    load::Load,
    nodes::{NODES, Nodes},
    support::{Server, Servers, System, balance, until},
};

/// A RabbitMQ cluster of three loses a node under load: a follower of all queues, then the leader of all.
#[derive(Debug, Parser)]
#[command(name = "tests/cluster/run")]
struct Options {
    /// How often both are lost.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Consumption goes on within this after a loss.
const LIMIT: Duration = Duration::from_secs(10);
/// How long each loss is watched after that, and load runs before the first.
const WATCHED: Duration = Duration::from_secs(5);
/// Of high, normal and background lanes.
const QUEUES: usize = 5;
const SETTINGS: &str = "worker.slots = 12\nresults.ttl = \"1day\"";

#[tokio::main]
pub async fn main() {
    let options = Options::parse();
    let redis = Server::redis().await;
    let mut nodes = Nodes::start().await;
    let servers = Servers { redis: redis.url(), rabbitmq: nodes.url(), prefix: "cluster".to_owned() };
    let system = System::apart(2, servers.settings().with(SETTINGS)).await;
    nodes.whole(QUEUES).await;
    println!("three nodes; every quorum queue has {NODES} members");

    let load = Load::new(&system.api.url);
    let stop = CancellationToken::new();
    let producers = tokio::spawn(load.clone().run(stop.clone()));
    load.consumption(&system.ledger, Instant::now(), WATCHED).await;
    for round in 0..options.rounds {
        let leader = round % NODES;
        lose(&mut nodes, &system, &load, leader, (leader + 1) % NODES).await;
        lose(&mut nodes, &system, &load, leader, leader).await;
    }
    stop.cancel();
    producers.await.unwrap();
    judge(&system, &load).await;
    system.stop().await;
}

/// `node` dies while `leader` leads every queue, and comes back.
async fn lose(nodes: &mut Nodes, system: &System, load: &Load, leader: usize, node: usize) {
    nodes.lead(leader).await;
    let connections = nodes.connections().await;
    let refused = load.refused();
    nodes.kill(node).await;
    let lost = Instant::now();
    let pauses = load.consumption(&system.ledger, lost, WATCHED).await;
    let role = if node == leader { "leader" } else { "follower" };
    println!(
        "kill -9 of node {node}, the {role}; connections at each node: {connections}; {} refusals",
        load.refused() - refused
    );
    for pause in &pauses {
        println!(
            "    {}: a task offered after the loss ran after {:.2} s; longest time without a start {:.2} s",
            pause.lane,
            pause.first.as_secs_f64(),
            pause.silence.as_secs_f64()
        );
        assert!(pause.first < LIMIT && pause.silence < LIMIT, "{pause:?}");
    }
    nodes.restart(node).await;
    nodes.whole(QUEUES).await;
}

/// Nothing is lost, nothing was done twice, no worker was taken for dead.
async fn judge(system: &System, load: &Load) {
    let ids = load.ids();
    let balance = balance(&system.api, &system.ledger, &ids, 0).await;
    let refusals = load.refusals.lock().unwrap().clone();
    println!(
        "{} tasks accepted, {} completed; producers were told {refusals:?}",
        ids.len(),
        balance.completed
    );
    assert_eq!(balance.completed, ids.len(), "lost or dead");
    assert_eq!((balance.crashes, balance.repeated), (0, 0), "started more than once");
    until("a healthy pool", async || {
        let answer = system.api.request(reqwest::Method::GET, "health").send().await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
}
