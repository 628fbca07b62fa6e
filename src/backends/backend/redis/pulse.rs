//! A link's sign of life: once a second it is asked for an answer, whatever else is sent over it.
//!
//! Guarantees: a link that died in silence, or whose server no longer takes writes, is replaced within
//! seconds, so that new commands find a server that answers; a wait longer than a second is written into the
//! log, once. Never does: give a link up before another one has answered. A server that only stood still
//! finds what it was sent.

use std::time::Duration;

use redis::{
    Client, RedisError, RedisResult, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
    cmd,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

/// The code of a store that does not answer.
const SILENT: &str = "CP-1301";

/// How often a link is asked for a sign of life, and how long that may take.
pub(crate) const PULSE: Duration = Duration::from_secs(1);

/// What servers say that do not take writes, or not any more: after a failover behind one address, a new link
/// leads to the server that does.
const ELSEWHERE: [&str; 5] = ["READONLY", "MASTERDOWN", "LOADING", "NOREPLICAS", "CLUSTERDOWN"];

/// Whether this failure makes a new link worth a try.
pub(crate) fn is_doubtful(error: &RedisError) -> bool {
    let elsewhere = || error.code().is_some_and(|code| ELSEWHERE.contains(&code));
    // An older server tells of the write that a script was refused in the text of the script's error.
    error.is_timeout() || elsewhere() || error.detail().is_some_and(|text| text.contains("-READONLY"))
}

/// One life of a link, and its number, which no other life has.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) number: u64,
    pub(crate) manager: ConnectionManager,
}

/// The task that keeps a link alive. The manager mends connections that end; this replaces those that do not
/// say so.
pub(crate) struct Pulse {
    pub(crate) client: Client,
    pub(crate) options: ConnectionManagerConfig,
    pub(crate) wire: watch::Sender<Wire>,
    /// The highest number of a life on which a command failed doubtfully.
    pub(crate) doubted: watch::Receiver<u64>,
    /// The highest number of a life that died in silence: what was asked on it gets no answer any more.
    pub(crate) lost: watch::Sender<u64>,
}

enum Cause {
    Silent,
    Doubted,
}

impl Pulse {
    pub(crate) async fn keep(mut self) {
        loop {
            let cause = self.cause().await;
            let since = Instant::now();
            self.tell(&cause);
            let number = self.wire.borrow().number;
            self.replace().await;
            if let Cause::Silent = cause {
                tracing::info!(server = %self.address(), waited = ?since.elapsed() + PULSE, "Redis answers \
                    again");
            }
            // A server that takes no writes for long is not asked for a new link with every command; and one
            // that only stood still may answer what it was asked before.
            sleep(PULSE).await;
            if let Cause::Silent = cause {
                self.lost.send_replace(number);
            }
        }
    }

    /// Returns when the link needs to be replaced.
    async fn cause(&mut self) -> Cause {
        let Wire { number, mut manager } = self.wire.borrow().clone();
        loop {
            tokio::select! {
                Ok(_) = self.doubted.wait_for(|doubted| *doubted >= number) => return Cause::Doubted,
                () = sleep(PULSE) => {}
            }
            let answer: Result<RedisResult<Value>, _> =
                timeout(PULSE, cmd("PING").query_async(&mut manager)).await;
            match answer {
                Err(_) => return Cause::Silent,
                Ok(Err(error)) if error.is_io_error() => return Cause::Silent,
                // Whatever the server says, it is there.
                Ok(_) => {}
            }
        }
    }

    fn tell(&self, cause: &Cause) {
        let server = self.address();
        match cause {
            Cause::Doubted => tracing::debug!(%server, "a new link to Redis replaces a doubtful one"),
            Cause::Silent => {
                tracing::warn!(
                    code = SILENT,
                    "Redis does not answer: no sign of life from {server} within {PULSE:?}; all that needs \
                    it waits"
                );
            }
        }
    }

    async fn replace(&self) {
        let manager = loop {
            match ConnectionManager::new_with_config(self.client.clone(), self.options.clone()).await {
                Ok(manager) => break manager,
                Err(error) => tracing::debug!(%error, "no new link to Redis yet"),
            }
            sleep(PULSE.mul_f64(rand::random_range(0.2..0.5))).await;
        };
        metrics::counter!("clawpool_reconnects_total", "server" => "redis").increment(1);
        self.wire.send_modify(|wire| *wire = Wire { number: wire.number + 1, manager });
    }

    fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }
}
