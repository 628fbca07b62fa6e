//! One subscription to the store's news, on a connection of its own that gives a sign of life once a second.

use redis::{Msg, PushInfo, PushKind, RedisResult, Value, aio::MultiplexedConnection, cmd};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use crate::backend::redis::{
    link::Link,
    pulse::{PULSE, Wire},
};
use clawpool_core::retry::Backoff;

pub(super) struct Subscription {
    connection: MultiplexedConnection,
    news: mpsc::UnboundedReceiver<PushInfo>,
    /// The store's link: once it leads to another server, news of this one is no longer what is waited for.
    wire: watch::Receiver<Wire>,
}

impl Subscription {
    /// Tries until it has one.
    pub(super) async fn persist(link: &Link) -> Self {
        let mut waits = Backoff::millis::<50, 1_000>().waits();
        loop {
            match Self::open(link).await {
                Ok(subscription) => return subscription,
                Err(error) => tracing::debug!(%error, "no subscription at Redis yet"),
            }
            sleep(waits.after_failure()).await;
        }
    }

    /// Each step has its deadline: a server may take a connection and never say a word.
    async fn open(link: &Link) -> RedisResult<Self> {
        let mut wire = link.wire();
        wire.mark_unchanged();
        let (sender, news) = mpsc::unbounded_channel();
        let options = link.alone(PULSE).set_push_sender(sender);
        let mut connection = link.client().get_multiplexed_async_connection_with_config(&options).await?;
        connection.subscribe(format!("{}:ev", link.base())).await?;
        // The waiters that are woken next ask the server, and a server that still loads its file would refuse
        // them.
        cmd("EXISTS").arg(link.base()).exec_async(&mut connection).await?;
        Ok(Self { connection, news, wire })
    }

    /// The next news; `None` once the subscription is lost, with a word or without.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            tokio::select! {
                push = self.news.recv() => match push? {
                    PushInfo { kind: PushKind::Disconnection, .. } => return None,
                    push => if let Some(message) = Msg::from_push_info(push) {
                        return Some(message.get_payload_bytes().to_vec());
                    },
                },
                _ = self.wire.changed() => return None,
                () = sleep(PULSE) => if !self.lives().await {
                    return None;
                },
            }
        }
    }

    async fn lives(&mut self) -> bool {
        let answer: RedisResult<Value> = cmd("PING").query_async(&mut self.connection).await;
        answer.is_ok()
    }
}
