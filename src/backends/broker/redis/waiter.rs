//! Waiting for the bells of queues on a connection of its own, for `WAIT` at a time. Each end of a wait shows
//! that the connection lives, and the consumer fetches after it.

use std::time::Duration;

use deadpool_redis::{Connection, PoolError};
use futures::future::BoxFuture;
use redis::{RedisResult, Value, cmd};
use tokio::time::timeout;

use super::shared::{Shared, failure};
use crate::backend::redis::queue_name::bell;
use crate::{backend::redis::link::Link, broker::BrokerError};
use clawpool_core::task::Queue;

/// How long one blocking command waits. Its answer may be a second late, so a connection that died without an
/// error is found out in three.
pub(crate) const WAIT: Duration = Duration::from_secs(2);

/// An exclusive connection that blocks on the bells of queues.
pub(crate) struct Waiter {
    connection: Option<Connection>,
    /// What Redis calls the connection: the name to unblock it by.
    id: u64,
    /// Those that it waits for, or waited for last.
    queues: Vec<Queue>,
    /// The blocking command on its way. It outlives the call that started it, because its answer may be a
    /// token.
    waiting: Option<BoxFuture<'static, RedisResult<Value>>>,
}

impl Waiter {
    pub(crate) async fn connect(shared: &Shared) -> Result<Self, BrokerError> {
        let pooled = shared.waiters.get().await.map_err(|error| pool_error(&error))?;
        let mut waiter = Self { connection: None, id: 0, queues: Vec::new(), waiting: None };
        let mut connection = (*pooled).clone();
        waiter.connection = Some(pooled);
        // Until it has answered, the connection is not fit to go back to the pool.
        waiter.waiting = Some(Box::pin(std::future::pending()));
        let answer =
            timeout(shared.link.timeout(), cmd("CLIENT").arg("ID").query_async(&mut connection)).await;
        waiter.id = answer.map_err(|_| silent(&shared.link))?.map_err(|error| failure(&error))?;
        waiter.waiting = None;
        Ok(waiter)
    }

    /// Those that it waits for, or waited for last.
    pub(crate) fn queues(&self) -> &[Queue] {
        &self.queues
    }

    /// Waits for the bells of these queues; a wait that is under way goes on with its own. Returns when one
    /// was rung, or when it is time to fetch again.
    pub(crate) async fn rung(&mut self, shared: &Shared, queues: &[Queue]) -> RedisResult<()> {
        if let (None, Some(connection)) = (&self.waiting, &self.connection) {
            self.queues = queues.to_vec();
            let mut connection = (**connection).clone();
            let base = shared.link.base();
            let bells: Vec<String> = self.queues.iter().map(|queue| bell(base, *queue)).collect();
            let wait = WAIT.as_secs();
            self.waiting = Some(Box::pin(async move {
                cmd("BLPOP").arg(bells).arg(wait).query_async(&mut connection).await
            }));
        }
        self.answer().await.map(drop)
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Stops waiting. A token that came meanwhile goes on to another consumer. `None` when the connection is
    /// spoilt.
    pub(crate) async fn leave(mut self, shared: &Shared) -> Option<Self> {
        if self.waiting.is_none() {
            return Some(self);
        }
        let unblocked: RedisResult<u64> = shared.link.send(cmd("CLIENT").arg("UNBLOCK").arg(self.id)).await;
        let answer = match unblocked {
            Ok(_) => timeout(shared.link.timeout(), self.answer()).await.ok().and_then(Result::ok),
            Err(_) => None,
        };
        match answer {
            Some(Value::Nil) => Some(self),
            Some(_) => {
                ring(shared, &self.queues).await;
                Some(self)
            }
            None => {
                let queues = std::mem::take(&mut self.queues);
                // The server must not give the next token to this connection.
                drop(self);
                ring(shared, &queues).await;
                None
            }
        }
    }

    async fn answer(&mut self) -> RedisResult<Value> {
        let Some(waiting) = &mut self.waiting else { return Ok(Value::Nil) };
        let value = waiting.await?;
        self.waiting = None;
        Ok(value)
    }
}

impl Drop for Waiter {
    /// A connection on which an answer is outstanding, or that failed, is closed: no other command could use
    /// it.
    fn drop(&mut self) {
        if self.waiting.is_some()
            && let Some(connection) = self.connection.take()
        {
            drop(Connection::take(connection));
        }
    }
}

async fn ring(shared: &Shared, queues: &[Queue]) {
    for queue in queues {
        shared.ring(*queue).await;
    }
}

fn silent(link: &Link) -> BrokerError {
    BrokerError::Unavailable { broker: "redis", reason: format!("no answer within {:?}", link.timeout()) }
}

fn pool_error(error: &PoolError) -> BrokerError {
    match error {
        PoolError::Backend(error) => failure(error),
        other => BrokerError::Unavailable { broker: "redis", reason: other.to_string() },
    }
}
