//! What a server says of itself, read once over a connection of its own.
//!
//! Guarantees: nothing is changed, on a server that is fit for tasks or not. Never does: wait longer than the
//! caller, or ask a second time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redis::{AsyncConnectionConfig, InfoDict, RedisError, aio::MultiplexedConnection, cmd};

use super::{
    error::LinkError,
    link::{client, connect_timeout},
    server::{text, told, unfit, weakness},
};
use crate::install_tls;
use clawpool_core::config;

/// A server as it is now.
#[derive(Clone, Debug)]
pub struct Inspection {
    pub version: String,
    /// Why it cannot hold tasks, with the fix.
    pub unfit: Option<String>,
    /// How it may lose tasks all the same, with the fix.
    pub weakness: Option<&'static str>,
    /// Why it takes no writes now, with the fix.
    pub unwilling: Option<String>,
    /// Bytes in use, and at most; no limit without one.
    pub memory: u64,
    pub max_memory: Option<u64>,
    /// Of the quickest of some questions.
    pub round_trip: Duration,
    /// By how many milliseconds its clock is ahead of ours; less than zero where it is behind.
    pub clock_ahead: i64,
}

/// Asks the server of these settings.
pub async fn inspect(settings: &config::Redis) -> Result<Inspection, LinkError> {
    install_tls();
    let client = client(settings)?;
    let options = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(connect_timeout(settings.timeout)))
        .set_response_timeout(Some(settings.timeout));
    let connection = client.get_multiplexed_async_connection_with_config(&options).await;
    let mut connection = connection.map_err(|error| LinkError::of(&error))?;
    read(&mut connection).await.map_err(|error| LinkError::of(&error))
}

async fn read(connection: &mut MultiplexedConnection) -> Result<Inspection, RedisError> {
    let info: InfoDict = cmd("INFO").query_async(connection).await?;
    let fsync = setting(connection, "appendfsync").await;
    let stops = setting(connection, "stop-writes-on-bgsave-error").await;
    let replicas = setting(connection, "min-replicas-to-write").await;
    let demands = Demands {
        snapshot: stops.as_deref() != Some("no"),
        replicas: replicas.and_then(|count| count.parse().ok()).unwrap_or_default(),
    };
    let (round_trip, clock_ahead) = clock(connection).await?;
    let number = |field: &str| info.get::<u64>(field).unwrap_or_default();
    Ok(Inspection {
        version: text(&info, "redis_version"),
        unfit: unfit(&info),
        weakness: weakness(&text(&info, "aof_enabled"), fsync.as_deref()),
        unwilling: unwilling(&|field| text(&info, field), &demands),
        memory: number("used_memory"),
        max_memory: Some(number("maxmemory")).filter(|most| *most > 0),
        round_trip,
        clock_ahead,
    })
}

async fn setting(connection: &mut MultiplexedConnection, name: &str) -> Option<String> {
    told(cmd("CONFIG").arg("GET").arg(name).query_async(connection).await, name)
}

/// The shortest round trip of some, and the server's clock as that one shows it.
async fn clock(connection: &mut MultiplexedConnection) -> Result<(Duration, i64), RedisError> {
    let mut best = (Duration::MAX, 0);
    for _ in 0..5 {
        let (asked, begun) = (SystemTime::now(), Instant::now());
        let (seconds, micros): (i64, i64) = cmd("TIME").query_async(connection).await?;
        let took = begun.elapsed();
        let middle = (asked + took / 2).duration_since(UNIX_EPOCH).unwrap_or_default();
        let ours = i64::try_from(middle.as_millis()).unwrap_or(i64::MAX);
        best = best.min((took, seconds * 1000 + micros / 1000 - ours));
    }
    Ok(best)
}

/// What a server's settings demand before it takes writes.
struct Demands {
    /// Its last snapshot was written.
    snapshot: bool,
    /// So many replicas are connected.
    replicas: u64,
}

/// Why a server that answers takes no writes.
fn unwilling(text: &dyn Fn(&str) -> String, demands: &Demands) -> Option<String> {
    let number = |field: &str| text(field).parse::<u64>().unwrap_or_default();
    if text("loading") == "1" {
        return Some("it still reads its data after a start; this ends by itself".into());
    }
    if text("role") == "slave" {
        return Some("it is a replica, which takes no writes: let redis.url name the primary".into());
    }
    if text("aof_last_write_status") == "err" {
        return Some("it could not write its append-only file: free its disk, and see its log".into());
    }
    if text("rdb_last_bgsave_status") == "err" && demands.snapshot {
        return Some("it could not write its snapshot: free its disk, and see its log".into());
    }
    if number("connected_slaves") < demands.replicas {
        let why = "too few replicas are connected: bring them back, or lower its min-replicas-to-write";
        return Some(why.into());
    }
    if number("maxmemory") > 0 && number("used_memory") >= number("maxmemory") {
        return Some("its memory is full: raise its maxmemory, or let more workers empty its queues".into());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::redis::testing::server::{Server, on_shared};
    use clawpool_core::config::Config;

    fn said(lines: &[(&str, &str)]) -> Option<String> {
        let text = |field: &str| {
            let line = lines.iter().find(|(name, _)| *name == field);
            line.map(|(_, value)| (*value).to_owned()).unwrap_or_default()
        };
        unwilling(&text, &Demands { snapshot: true, replicas: 1 })
    }

    #[test]
    fn a_server_that_takes_no_writes_says_why_and_what_helps() {
        for (lines, word) in [
            ([("loading", "1"), ("role", "master")], "ends by itself"),
            ([("role", "slave"), ("loading", "0")], "primary"),
            ([("role", "master"), ("aof_last_write_status", "err")], "disk"),
            ([("role", "master"), ("rdb_last_bgsave_status", "err")], "disk"),
            ([("role", "master"), ("connected_slaves", "0")], "min-replicas"),
            ([("maxmemory", "100"), ("used_memory", "100")], "maxmemory"),
        ] {
            let lines = if word == "maxmemory" {
                [&lines[..], &[("connected_slaves", "1")]].concat()
            } else {
                lines.to_vec()
            };
            assert!(said(&lines).is_some_and(|text| text.contains(word)), "{lines:?}");
        }
        let well =
            [("role", "master"), ("maxmemory", "0"), ("used_memory", "100"), ("connected_slaves", "1")];
        assert_eq!(said(&well), None);
    }

    #[tokio::test]
    async fn a_real_server_is_read_as_it_is() {
        let settings = on_shared(Config::default()).redis;
        let seen = inspect(&settings).await.unwrap();
        assert_eq!((seen.unfit, seen.unwilling), (None, None));
        assert!(seen.version.starts_with(char::is_numeric) && seen.memory > 0, "{}", seen.version);
        assert!(seen.round_trip < settings.timeout && seen.clock_ahead.abs() < 5_000);
    }

    /// Which the link refuses to work with.
    #[tokio::test]
    async fn a_server_that_is_unfit_is_read_as_well() {
        let server = Server::start(&["--maxmemory-policy", "allkeys-lru"]).await;
        let seen = inspect(&server.config(Config::default()).redis).await.unwrap();
        assert!(seen.unfit.is_some_and(|reason| reason.contains("allkeys-lru")));
        let settings = config::Redis { url: "redis://127.0.0.1:1/0".into(), ..config::Redis::default() };
        assert!(matches!(inspect(&settings).await, Err(LinkError::Silent(_))));
    }
}
