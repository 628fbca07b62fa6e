//! The connection: shared, pipelined, mending itself; used by the store and by the broker on Redis.

use std::{
    future::pending,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::{counter, histogram};
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, FromRedisValue, IntoConnectionInfo, ProtocolVersion, PushInfo,
    PushKind, RedisError, ServerErrorKind,
    aio::{ConnectionManager, ConnectionManagerConfig, SendError},
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};
use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::{
    error::LinkError,
    pulse::{Pulse, Wire, is_doubtful},
    script::Call,
    server,
};
use clawpool_core::config;

/// A peer that is gone without a word (its machine lost power) is noticed after this.
const SILENCE: Duration = Duration::from_secs(10);

/// One shared, pipelined connection to Redis that mends itself: a command during an outage fails soon, a
/// command after it succeeds. One that died in silence is found out by its [`Pulse`]. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    client: Client,
    wire: watch::Receiver<Wire>,
    doubted: watch::Sender<u64>,
    lost: watch::Receiver<u64>,
    _pulse: Arc<AbortOnDropHandle<()>>,
    /// `{prefix}`: what every key starts with, and the hash tag that keeps them in one slot.
    base: Arc<str>,
    timeout: Duration,
}

impl Link {
    /// Connects, and refuses a server that would lose tasks.
    pub async fn open(settings: &config::Redis) -> Result<Self, LinkError> {
        let client = client(settings)?;
        let options = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(connect_timeout(settings.timeout)))
            .set_response_timeout(Some(settings.timeout))
            .set_number_of_retries(2)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(200))
            .set_pipeline_buffer_size(1024)
            .set_push_sender(count_loss);
        let manager = ConnectionManager::new_with_config(client.clone(), options.clone());
        let manager = manager.await.map_err(|error| LinkError::of(&error))?;
        let ((doubted, doubts), (losses, lost)) = (watch::channel(0), watch::channel(0));
        let (sender, wire) = watch::channel(Wire { number: 1, manager });
        let pulse = Pulse { client: client.clone(), options, wire: sender, doubted: doubts, lost: losses };
        let pulse = Arc::new(AbortOnDropHandle::new(tokio::spawn(pulse.keep())));
        let base = base(&settings.prefix)?;
        let timeout = settings.timeout;
        let link = Self { client, wire, doubted, lost, _pulse: pulse, base, timeout };
        server::check(&link).await?;
        Ok(link)
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Sends one command.
    pub async fn send<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, RedisError> {
        let Wire { number, mut manager } = self.wire.borrow().clone();
        let start = Instant::now();
        let answer = tokio::select! {
            biased;
            answer = ask(&mut manager, command) => answer,
            () = self.lost(number) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        };
        histogram!("clawpool_round_trip_seconds", "server" => "redis", "operation" => "command")
            .record(start.elapsed());
        if answer.as_ref().is_err_and(is_doubtful) {
            self.doubted
                .send_if_modified(|doubted| std::mem::replace(doubted, number.max(*doubted)) < number);
        }
        answer
    }

    /// Returns when this life of the link has died in silence.
    async fn lost(&self, number: u64) {
        if self.lost.clone().wait_for(|lost| *lost >= number).await.map(drop).is_err() {
            pending().await
        }
    }

    /// Runs a script. A server that does not know it (any more) gets its text.
    pub(crate) async fn run<T: FromRedisValue>(&self, call: &Call) -> Result<T, RedisError> {
        match self.send(call.command()).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.send(&call.in_full()).await
            }
            answer => answer,
        }
    }

    /// Changes when another connection has taken the place of one that was silent or led to the wrong server.
    pub(crate) fn wire(&self) -> watch::Receiver<Wire> {
        self.wire.clone()
    }

    /// For a connection of one's own, on which each answer comes within `answer` or has failed.
    pub(crate) fn alone(&self, answer: Duration) -> AsyncConnectionConfig {
        let options = AsyncConnectionConfig::new().set_response_timeout(Some(answer));
        options.set_connection_timeout(Some(connect_timeout(self.timeout)))
    }
}

/// The manager replaces a connection that ended, and tells of it in passing.
#[allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps)]
fn count_loss(push: PushInfo) -> Result<(), SendError> {
    if push.kind == PushKind::Disconnection {
        counter!("clawpool_reconnects_total", "server" => "redis").increment(1);
    }
    Ok(())
}

async fn ask<T: FromRedisValue>(
    manager: &mut ConnectionManager,
    command: &redis::Cmd,
) -> Result<T, RedisError> {
    match command.query_async(manager).await {
        // The manager hands out the failure of an attempt to connect that may be long past. The command was
        // not sent, so a second try, which awaits a fresh attempt, does nothing twice.
        Err(error) if error.is_connection_refusal() => command.query_async(manager).await,
        answer => answer,
    }
}

pub(super) fn connect_timeout(timeout: Duration) -> Duration {
    timeout.min(Duration::from_secs(1))
}

pub(super) fn client(settings: &config::Redis) -> Result<Client, LinkError> {
    // The address may hold a password, so it is not repeated here (INV-10).
    let text = "redis.url is not an address of Redis: write redis://host:port/db or rediss://host:port/db";
    let refused = |_| LinkError::Refused(text.into());
    let info = settings.url.expose_secret().into_connection_info().map_err(refused)?;
    let keepalive = TcpKeepalive::new().with_time(SILENCE / 2).with_interval(SILENCE / 4);
    let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(SILENCE);
    // RESP3 tells the manager of a lost connection at once, not at the next command.
    let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Client::open(info.set_tcp_settings(tcp).set_redis_settings(redis)).map_err(refused)
}

fn base(prefix: &str) -> Result<Arc<str>, LinkError> {
    if prefix.is_empty() || prefix.contains(['{', '}']) {
        let reason = format!("redis.prefix is {prefix:?}: give it at least one character, and no braces");
        return Err(LinkError::Refused(reason));
    }
    Ok(format!("{{{prefix}}}").into())
}
