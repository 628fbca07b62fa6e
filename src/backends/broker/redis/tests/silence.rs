//! A connection that dies without an error.

use std::time::{Duration, Instant};

use super::{super::RedisBroker, blocked, publish, take};
use crate::{
    backend::redis::testing::{proxy::Proxy, server::Server},
    broker::{
        Broker,
        conformance::{guarded, message},
    },
};
use clawpool_core::{
    config::Config,
    task::{Priority, ProcessId, Queue},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_consumer_survives_links_that_die_in_silence() {
    guarded(async {
        let server = Server::start(&[]).await;
        let proxy = Proxy::before(&server).await;
        let config = server.config(Config::default());
        let publisher = RedisBroker::open(&config).await.unwrap();
        let broker = RedisBroker::open(&proxy.config(config)).await.unwrap();
        let mut consumer = broker.consume(ProcessId::new(), Queue::P0).await.unwrap();
        // Kept, because a message without a receipt comes again.
        let mut held = Vec::new();
        for _ in 0..3 {
            let waiting = tokio::spawn(async move { (take(consumer.as_mut(), 1).await, consumer) });
            blocked(&server, 1).await;
            proxy.silence();
            let since = Instant::now();
            let news = message(Priority::P0);
            publish(&publisher, std::slice::from_ref(&news)).await;
            let (taken, again) = waiting.await.unwrap();
            println!("taken {:?} after all links of its consumer died", since.elapsed());
            assert_eq!(taken[0].message, news);
            assert!(since.elapsed() < Duration::from_secs(10), "the goal is five seconds");
            held.extend(taken);
            consumer = again;
        }
    })
    .await;
}
