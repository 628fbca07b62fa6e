//! The connections over which workers beat, by name: Redis forgets the one of a dead process at once, long
//! before the worker's lease is over.
//!
//! Guarantees: a connection that brought a beat has the worker's name, also when it has taken the place of
//! another one. Never does: take a server that refuses to name or to list connections for one without any.

use std::sync::atomic::{AtomicBool, Ordering};

use redis::{ErrorKind, RedisError, cmd};

use crate::backend::redis::link::Link;
use clawpool_core::task::ProcessId;

const PREFIX: &str = "clawpool-";

/// Of one link, which gives each of its connections the name of the last worker that beat over it.
#[derive(Default)]
pub(super) struct HeartbeatConnections {
    /// The server does not take names. It is not asked again and again: some keep a log of refusals.
    refused: AtomicBool,
}

impl HeartbeatConnections {
    /// Whatever becomes of it: without the name, the lease says when the worker is dead.
    pub(super) async fn name(&self, link: &Link, worker: ProcessId) {
        if self.refused.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("{PREFIX}{worker}");
        if let Err(error) = link.send::<()>(cmd("CLIENT").arg("SETNAME").arg(name)).await
            && is_refusal(&error)
        {
            tracing::debug!(%error, "Redis names no connections; a worker that is killed alone is dead when \
                its lease is over");
            self.refused.store(true, Ordering::Relaxed);
        }
    }
}

/// Those of the workers that have a connection. `None` where the server does not list connections.
pub(super) async fn named(link: &Link, workers: &[ProcessId]) -> Result<Option<Vec<ProcessId>>, RedisError> {
    match link.send::<String>(cmd("CLIENT").arg("LIST").arg("TYPE").arg("normal")).await {
        Ok(list) => Ok(Some(names(&list).filter(|worker| workers.contains(worker)).collect())),
        Err(error) if is_refusal(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An answer of the server, and not the silence of one.
fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// A line for each connection: `id=7 addr=127.0.0.1:4711 name=clawpool-… age=3 …`.
fn names(list: &str) -> impl Iterator<Item = ProcessId> {
    let fields =
        list.lines().filter_map(|line| line.split(' ').find_map(|field| field.strip_prefix("name=")));
    fields.filter_map(|name| name.strip_prefix(PREFIX)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_found_among_other_connections() {
        let worker = ProcessId::new();
        let list = format!(
            "id=3 addr=127.0.0.1:1 laddr=127.0.0.1:2 fd=8 name= age=1 cmd=evalsha\n\
             id=4 addr=127.0.0.1:3 fd=9 name={PREFIX}{worker} age=1 db=0\n\
             id=5 addr=/run/redis.sock:0 fd=10 name={PREFIX}somebody age=1\n\
             id=6 fd=11 name=sentinel-1 age=1\nwhat is this?\n"
        );
        assert_eq!(names(&list).collect::<Vec<_>>(), [worker]);
    }
}
