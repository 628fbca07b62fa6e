//! The Redis and the RabbitMQ of a run: started by the project's own script on private ports and stopped by
//! process id, or the operator's, whose addresses were given.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use lapin::{Connection, ConnectionProperties, options::QueueDeleteOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    sync::Mutex,
    time::{sleep, timeout},
};

use crate::process;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/servers.sh");

pub struct Servers {
    pub redis: String,
    pub rabbitmq: String,
    /// Those that this run started, by name, in the order of their start.
    started: Mutex<Vec<(&'static str, Child)>>,
    redis_pid: Option<u32>,
    rabbitmq_pid: Option<u32>,
}

impl Servers {
    pub async fn start(folder: &Path, redis: Option<String>, rabbitmq: Option<String>) -> Result<Self> {
        let mut servers = Self {
            redis: String::new(),
            rabbitmq: String::new(),
            started: Mutex::default(),
            redis_pid: None,
            rabbitmq_pid: None,
        };
        servers.redis = match redis {
            Some(url) => url,
            None => servers.start_redis(folder)?,
        };
        servers.rabbitmq = match rabbitmq {
            Some(url) => url,
            None => servers.start_rabbitmq(folder)?,
        };
        servers.answer().await?;
        Ok(servers)
    }

    fn start_redis(&mut self, folder: &Path) -> Result<String> {
        let port = free_port();
        self.redis_pid = self.spawn("redis", script("redis", folder, port))?;
        Ok(format!("redis://127.0.0.1:{port}/0"))
    }

    fn start_rabbitmq(&mut self, folder: &Path) -> Result<String> {
        let port = free_port();
        let epmd = free_port();
        let mut names = Command::new("epmd");
        names.args(["-port", &epmd.to_string(), "-address", "127.0.0.1"]);
        self.spawn("epmd", names)?;
        let mut command = script("rabbitmq", folder, port);
        command.env("ERL_EPMD_PORT", epmd.to_string());
        self.rabbitmq_pid = self.spawn("rabbitmq", command)?;
        Ok(format!("amqp://guest:guest@127.0.0.1:{port}/%2f"))
    }

    fn spawn(&mut self, name: &'static str, mut command: Command) -> Result<Option<u32>> {
        let child =
            command.kill_on_drop(true).stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        let child = child.stderr(std::process::Stdio::null()).spawn();
        let child =
            child.with_context(|| format!("{name} cannot be started: install it, or give its address"))?;
        let pid = child.id();
        self.started.get_mut().push((name, child));
        Ok(pid)
    }

    async fn answer(&self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(180) {
            // A RabbitMQ that still starts takes connections and leaves them lying.
            if timeout(Duration::from_secs(1), self.answers()).await.is_ok_and(|answer| answer.is_ok()) {
                eprintln!("the servers answer after {:.1} s", started.elapsed().as_secs_f64());
                return Ok(());
            }
            sleep(Duration::from_millis(200)).await;
        }
        self.answers().await.context("the servers do not answer")
    }

    async fn answers(&self) -> Result<()> {
        let mut redis = redis::Client::open(self.redis.as_str())?.get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<()>(&mut redis).await?;
        let rabbitmq = Connection::connect(&self.rabbitmq, ConnectionProperties::default()).await?;
        rabbitmq.create_channel().await?;
        Ok(rabbitmq.close(200, "".into()).await?)
    }

    /// Of their processes; none of a server that was given.
    pub fn pids(&self) -> Vec<u32> {
        self.redis_pid.into_iter().chain(self.rabbitmq_pid).collect()
    }

    /// Of Redis and of RabbitMQ, as they say themselves.
    pub async fn versions(&self) -> (String, String) {
        let redis = self.redis_version().await;
        let rabbitmq = self.rabbitmq_version().await;
        (redis.unwrap_or_else(|_| "unknown".into()), rabbitmq.unwrap_or_else(|_| "unknown".into()))
    }

    async fn redis_version(&self) -> Result<String> {
        let mut redis = redis::Client::open(self.redis.as_str())?.get_multiplexed_async_connection().await?;
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut redis).await?;
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        Ok(version.context("Redis tells no version")?.trim().to_owned())
    }

    /// From the first frame that it sends, whose table of properties the client library does not hand on.
    async fn rabbitmq_version(&self) -> Result<String> {
        let (_, address) = self.rabbitmq.rsplit_once('@').context("the address of RabbitMQ has no user")?;
        let address = address.split('/').next().unwrap_or(address);
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(b"AMQP\0\0\x09\x01").await?;
        let mut frame = vec![0; 4096];
        let length = stream.read(&mut frame).await?;
        let key = b"\x07versionS\0\0\0";
        let at = frame[..length]
            .windows(key.len())
            .position(|window| window == key)
            .context("it tells no version")?;
        let text = &frame[at + key.len()..length];
        let (&length, text) = text.split_first().context("it tells no version")?;
        Ok(String::from_utf8_lossy(text.get(..length.into()).unwrap_or(text)).into_owned())
    }

    /// Deletes a pool's queues and keys.
    pub async fn clear(&self, prefix: &str) -> Result<()> {
        let connection = Connection::connect(&self.rabbitmq, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let own = [
            "critical.p0",
            "critical.p1",
            "high",
            "high.p2",
            "high.p3",
            "normal.p4",
            "normal.p5",
            "background",
            "dead",
            "ingress",
        ];
        let queues =
            own.map(|queue| format!("{prefix}.v1.{queue}")).into_iter().chain([format!("{prefix}.rejects")]);
        for queue in queues {
            channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
        }
        connection.close(200, "".into()).await?;
        let mut redis = redis::Client::open(self.redis.as_str())?.get_multiplexed_async_connection().await?;
        let pattern = format!("{{{prefix}}}*");
        let mut cursor = 0u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(2000);
            let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(&mut redis).await?;
            if !keys.is_empty() {
                redis::cmd("UNLINK").arg(keys).query_async::<()>(&mut redis).await?;
            }
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    /// Stops what this run started, the last first: RabbitMQ signs off at its epmd.
    pub async fn stop(&self) -> Result<()> {
        while let Some((name, mut child)) = self.started.lock().await.pop() {
            process::terminate(&child);
            if timeout(Duration::from_secs(30), child.wait()).await.is_err() {
                child.kill().await?;
                bail!("{name} did not stop when it was told to; it was killed");
            }
        }
        Ok(())
    }
}

fn script(kind: &str, folder: &Path, port: u16) -> Command {
    let mut command = Command::new(SCRIPT);
    command.arg(kind).arg(folder.join(kind)).arg(port.to_string());
    command
}

/// RabbitMQ also takes the port 6,000 above; both are below 32,768, as in `tests/servers.sh`.
fn free_port() -> u16 {
    loop {
        let port = rand::random_range(20_000..26_000);
        let free = |port: u16| {
            TcpStream::connect(("127.0.0.1", port)).is_err() && TcpListener::bind(("127.0.0.1", port)).is_ok()
        };
        if free(port) && free(port + 6_000) {
            return port;
        }
    }
}
