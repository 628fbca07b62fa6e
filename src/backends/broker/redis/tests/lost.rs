//! Answers that get lost on the way.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{super::RedisBroker, publish, receipts, take};
use crate::{
    backend::redis::testing::server::Server,
    broker::{
        Broker,
        conformance::{eventually, guarded, message},
    },
};
use clawpool_core::{
    config::Config,
    task::{Priority, ProcessId, Queue},
};

/// Stands before the server. While it swallows, questions arrive and answers do not; afterwards connections
/// are new ones.
struct Proxy {
    address: SocketAddr,
    swallows: watch::Sender<bool>,
}

impl Proxy {
    async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let swallows = watch::Sender::new(false);
        let seen = swallows.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server, seen.clone()));
            }
        });
        Self { address, swallows }
    }
}

async fn pass(client: TcpStream, server: SocketAddr, seen: watch::Receiver<bool>) {
    let server = TcpStream::connect(server).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let swallows = seen.clone();
    let answers = async move {
        let mut chunk = [0; 16 * 1024];
        while let Ok(size @ 1..) = from_server.read(&mut chunk).await {
            if !*swallows.borrow() && to_client.write_all(&chunk[..size]).await.is_err() {
                return;
            }
        }
    };
    let mut begins = seen.clone();
    let mut ends = seen;
    let over = async {
        let _ = begins.wait_for(|swallows| *swallows).await;
        let _ = ends.wait_for(|swallows| !swallows).await;
    };
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        () = answers => {}
        () = over => {}
    }
}

/// Only the consumer knew that an answer was lost, and it was dropped; the worker lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_1_a_lost_answer_leaves_nothing_with_a_worker_whose_consumer_is_gone() {
    guarded(async {
        let server = Server::start(&[]).await;
        let near = server.config(Config::default());
        let proxy = Proxy::before(server.address()).await;
        let mut far = near.clone();
        far.redis.url = format!("redis://{}/0", proxy.address).into();
        far.redis.timeout = Duration::from_millis(200);
        let direct = RedisBroker::open(&near).await.unwrap();
        let broker = RedisBroker::open(&far).await.unwrap();
        let worker = ProcessId::new();
        let mut consumer = broker.consume(worker, Queue::P0).await.unwrap();
        publish(&direct, &[message(Priority::P0)]).await;
        broker.ack(receipts(&take(consumer.as_mut(), 1).await)).await.unwrap();
        let lost = message(Priority::P0);
        publish(&direct, std::slice::from_ref(&lost)).await;
        proxy.swallows.send_replace(true);
        assert!(consumer.next(1).await.is_err(), "no answer comes");
        assert_eq!(direct.depth(Queue::P0).await.unwrap().ready, 0, "but it was taken");
        drop(consumer);
        // Until its task has ended too.
        eventually(async || Arc::strong_count(&broker.shared) == 1).await;
        proxy.swallows.send_replace(false);
        let mut other = direct.consume(ProcessId::new(), Queue::P0).await.unwrap();
        let reconciling = async {
            loop {
                let _ = broker.reconcile(worker).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let back = tokio::select! {
            back = take(other.as_mut(), 1) => back,
            () = reconciling => unreachable!("it reconciles for ever"),
        };
        assert_eq!(back[0].message, lost);
    })
    .await;
}
