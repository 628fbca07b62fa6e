//! A RabbitMQ of the test's own, killed and started again.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{Rabbit, recovery::next};
use crate::broker::{
    Broker,
    conformance::{eventually, guarded, message},
};
use clawpool_core::{
    config::Config,
    task::{Message, Priority, ProcessId, Queue},
};

struct Node {
    folder: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl Node {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Below the ports that outgoing connections get; the script takes the one 6,000 above as well.
        let port = (20_000..26_000)
            .find(|port| (port % 97 == 0) && is_free(*port) && is_free(port + 6_000))
            .unwrap();
        let process = launch(&folder, port);
        Self { folder, port, process }
    }

    /// SIGKILL: nothing is flushed, no connection is closed.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn restart(&mut self) {
        self.process = launch(&self.folder, self.port);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_free(port: u16) -> bool {
    std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn launch(folder: &tempfile::TempDir, port: u16) -> Child {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/servers.sh");
    let mut command = Command::new("bash");
    command.arg(script).arg("rabbitmq").arg(folder.path()).arg(port.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_1_a_killed_server_loses_no_accepted_message() {
    guarded(async {
        std::env::var("ERL_EPMD_PORT").expect("ERL_EPMD_PORT is not set: run tests/run");
        let mut node = Node::start();
        let mut rabbit = Rabbit::fresh(Config::default()).await;
        rabbit.config.rabbitmq.url = format!("amqp://guest:guest@127.0.0.1:{}/%2f", node.port).into();
        let broker = loop {
            match super::super::RabbitBroker::open(&rabbit.config).await {
                Ok(broker) => break broker,
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        };
        let mut consumer = broker.consume(ProcessId::new(), Queue::P4).await.unwrap();
        let before: Vec<_> = (0..50).map(|_| message(Priority::P4)).collect();
        assert!(broker.publish(before.clone()).await.iter().all(Result::is_ok));
        let held = next(consumer.as_mut()).await;
        // A RabbitMQ killed within half a second of a queue's declaration may not find the queue again.
        tokio::time::sleep(Duration::from_secs(2)).await;

        node.kill();
        eventually(async || broker.publish(vec![message(Priority::P2)]).await[0].is_err()).await;
        node.restart();
        let after = message(Priority::P4);
        eventually(async || broker.publish(vec![after.clone()]).await[0].is_ok()).await;

        // What was held when the server died comes again, with all the others: nothing was acknowledged.
        let mut expected: Vec<_> = before.iter().chain([&after]).map(|message| message.id).collect();
        assert!(expected.contains(&held.message.id));
        while !expected.is_empty() {
            let delivery = next(consumer.as_mut()).await;
            let Message { id, .. } = delivery.message;
            expected.retain(|missing| *missing != id);
            broker.ack(vec![delivery.receipt]).await.unwrap();
        }
    })
    .await;
}
