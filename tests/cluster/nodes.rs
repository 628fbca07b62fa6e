//! The three nodes, and who of them leads which queue.

use std::fmt::Write;

use serde::Deserialize;

use super::support::{Server, until};

pub const NODES: usize = 3;

pub struct Nodes(Vec<Server>);

#[derive(Debug, Deserialize)]
struct Queue {
    members: Vec<String>,
    online: Vec<String>,
    leader: String,
}

impl Queue {
    fn is_whole(&self) -> bool {
        self.members.len() == NODES && self.online.len() == NODES
    }
}

impl Nodes {
    pub async fn start() -> Self {
        let mut nodes = vec![Server::rabbitmq().await];
        while nodes.len() < NODES {
            nodes.push(nodes[0].another_node().await);
        }
        Self(nodes)
    }

    /// For `rabbitmq.url`.
    pub fn url(&self) -> String {
        self.0.iter().map(Server::url).collect::<Vec<_>>().join(",")
    }

    /// Waits until every queue that is kept on several nodes is on all of them, this number of queues at
    /// least.
    pub async fn whole(&self, queues: usize) {
        until("every queue on three nodes", async || {
            let found = self.queues().await;
            (found.len() >= queues && found.iter().all(Queue::is_whole)).then_some(())
        })
        .await;
    }

    async fn queues(&self) -> Vec<Queue> {
        let columns = ["name", "type", "members", "online", "leader"];
        let args = [&["--formatter", "json", "list_queues"][..], &columns].concat();
        let text = self.0[0].control(&args).await;
        let all: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        let quorum = all.into_iter().filter(|queue| queue["type"] == "quorum");
        quorum.map(|queue| serde_json::from_value(queue).unwrap()).collect()
    }

    /// Makes `node` the leader of every queue that is kept on several nodes.
    pub async fn lead(&self, node: usize) {
        let name = self.0[node].node();
        let order = format!(
            "[catch rabbit_quorum_queue:transfer_leadership(Q, '{name}') || Q <- rabbit_amqqueue:list()]."
        );
        until("one leader", async || {
            let queues = self.queues().await;
            if queues.iter().all(|queue| queue.leader == name) {
                return Some(());
            }
            self.0[node].control(&["eval", &order]).await;
            None
        })
        .await;
    }

    /// How many of the pool's connections end at each node.
    pub async fn connections(&self) -> String {
        let mut text = String::new();
        for node in &self.0 {
            let order = "length(rabbit_networking:local_connections()).";
            _ = write!(text, "{} ", node.control(&["eval", order]).await.trim());
        }
        text.trim_end().to_owned()
    }

    pub async fn kill(&mut self, node: usize) {
        self.0[node].kill().await;
    }

    pub async fn restart(&mut self, node: usize) {
        self.0[node].restart().await;
    }
}
