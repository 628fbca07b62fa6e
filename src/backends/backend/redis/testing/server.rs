//! Redis for tests: the shared one that `tests/run` starts, and private ones that a test may kill.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use redis::cmd;
use tempfile::TempDir;

use crate::backend::waiting::eventually;
use clawpool_core::{config::Config, task::TaskId};

/// The configuration, on the shared server, under a prefix that no other test has.
pub fn on_shared(config: Config) -> Config {
    let url = std::env::var("CLAWPOOL_TEST_REDIS").expect(
        "CLAWPOOL_TEST_REDIS names the Redis to test on (redis://127.0.0.1:PORT/0); tests/run starts one \
        and sets it",
    );
    on(config, url)
}

fn on(mut config: Config, url: String) -> Config {
    config.redis.url = url.into();
    config.redis.prefix = format!("test-{}", TaskId::new());
    config
}

/// A redis-server of the test's own, with an append-only file. Dropping it kills it.
pub struct Server {
    folder: TempDir,
    port: u16,
    options: Vec<&'static str>,
    process: Child,
}

impl Server {
    pub async fn start(options: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Free at this moment; no other test asks for a port by number.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = options.to_vec();
        let process = launch(&folder, port, &options);
        let server = Self { folder, port, options, process };
        server.answers().await;
        server
    }

    pub fn config(&self, config: Config) -> Config {
        let mut config = on(config, format!("redis://{}/0", self.address()));
        config.redis.timeout = Duration::from_secs(30);
        config
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// As by `kill -9` or a loss of its process; what it had written stays.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub async fn start_again(&mut self) {
        self.process = launch(&self.folder, self.port, &self.options);
        self.answers().await;
    }

    /// The same, and it takes so many microseconds for each key that it reads.
    pub fn start_slowly(&mut self, delay: u32) {
        let delay = delay.to_string();
        let options = [&self.options[..], &["--key-load-delay", &delay]].concat();
        self.process = launch(&self.folder, self.port, &options);
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// One command, on a connection of its own.
    pub async fn ask<T: redis::FromRedisValue>(&self, command: &str, arguments: &[&str]) -> Option<T> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/0", self.port)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        cmd(command).arg(arguments).query_async(&mut connection).await.ok()
    }

    /// How often each command was called so far, apart from those that asking this takes.
    pub async fn commands(&self) -> BTreeMap<String, u64> {
        let info: String = self.ask("INFO", &["commandstats"]).await.expect("the server answers");
        let line = |line: &str| {
            let (name, counts) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_owned(), counts.split(',').next()?.parse().ok()?))
        };
        let asking = ["info", "client|setinfo", "client", "hello", "ping"];
        info.lines().filter_map(line).filter(|(name, _)| !asking.contains(&name.as_str())).collect()
    }

    async fn answers(&self) {
        eventually(async || self.ask::<String>("PING", &[]).await.is_some()).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(folder: &TempDir, port: u16, options: &[&str]) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
    // Any laxer and Redis answers before it has written: what it answered last dies with it.
    command.args(["--appendfsync", "always"]);
    command.args(options).arg("--dir").arg(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    command
        .spawn()
        .expect("redis-server is installed: `apt-get install redis-server`, or tests/run, which does it")
}
