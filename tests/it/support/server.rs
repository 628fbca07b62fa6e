use std::{
    ffi::OsString,
    net::TcpListener,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind, options::ExchangeDeclareOptions};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

use super::{Process, Settings, in_time, until};

/// The Redis and the RabbitMQ that a cluster uses.
#[derive(Clone)]
pub struct Servers {
    pub redis: String,
    pub rabbitmq: String,
    /// Sets one cluster apart from the others on the same servers.
    pub prefix: String,
}

impl Servers {
    /// Those that `tests/run` started for all tests.
    pub fn shared() -> Self {
        let prefix = format!("it-{}", uuid::Uuid::new_v4().simple());
        Self { redis: variable("CLAWPOOL_TEST_REDIS"), rabbitmq: variable("CLAWPOOL_TEST_RABBITMQ"), prefix }
    }

    /// The cluster profile on these servers.
    pub fn settings(&self) -> Settings {
        Settings::quick().with(&format!(
            "profile = \"cluster\"\n[redis]\nurl = {:?}\nprefix = {:?}\ntimeout = \"2s\"\n\
             [rabbitmq]\nurl = {:?}\nprefix = {:?}\nheartbeat = \"2s\"",
            self.redis, self.prefix, self.rabbitmq, self.prefix
        ))
    }
}

impl Servers {
    /// A channel to RabbitMQ, once the dispatcher has made its AMQP ingress.
    pub async fn amqp(&self) -> Channel {
        let connection = Connection::connect(&self.rabbitmq, ConnectionProperties::default()).await.unwrap();
        let exchange = format!("{}.ingress", self.prefix);
        until("the AMQP ingress", async || {
            // A missing exchange closes the channel that asked for it.
            let channel = connection.create_channel().await.unwrap();
            let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
            let asked = channel.exchange_declare(
                exchange.clone().into(),
                ExchangeKind::Fanout,
                options,
                Default::default(),
            );
            asked.await.is_ok().then_some(channel)
        })
        .await
    }
}

pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run the tests with tests/run, or export what `tests/run --servers-only` \
            prints"
        )
    })
}

/// A server of a test's own, to be killed and started again.
pub struct Server {
    kind: &'static str,
    port: u16,
    folder: TempDir,
    /// Beside this process's own environment.
    variables: Variables,
    /// More arguments for the script.
    peer: Vec<OsString>,
    process: Process,
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/servers.sh");

type Variables = Vec<(OsString, OsString)>;

impl Server {
    pub async fn redis() -> Self {
        Self::start("redis", &std::env::temp_dir(), Variables::new(), Vec::new()).await
    }

    pub async fn rabbitmq() -> Self {
        variable("ERL_EPMD_PORT");
        Self::start("rabbitmq", &std::env::temp_dir(), Variables::new(), Vec::new()).await
    }

    async fn start(kind: &'static str, parent: &Path, variables: Variables, peer: Vec<OsString>) -> Self {
        let folder = TempDir::with_prefix_in("clawpool-it-", parent).unwrap();
        let port = free_port();
        let process = spawn(kind, folder.path(), port, &variables, &peer);
        let server = Self { kind, port, folder, variables, peer, process };
        server.answers().await;
        server
    }

    pub fn url(&self) -> String {
        match self.kind {
            "redis" => format!("redis://127.0.0.1:{}/0", self.port),
            _ => format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port),
        }
    }

    /// The name of this RabbitMQ among the nodes of a cluster.
    pub fn node(&self) -> String {
        format!("clawpool{}@localhost", self.port)
    }

    /// What rabbitmqctl answers to a command about this RabbitMQ.
    pub async fn control(&self, args: &[&str]) -> String {
        let mut tool = Command::new(control());
        tool.args(["-q", "-n", &self.node()]).args(args).env("HOME", self.folder.path());
        let output = in_time(&format!("rabbitmqctl {args:?}"), tool.output()).await.unwrap();
        assert!(output.status.success(), "rabbitmqctl {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub async fn kill(&mut self) {
        self.process.kill().await;
        self.process.ended().await;
    }

    #[cfg(unix)]
    pub fn signal(&self, signal: &str) {
        self.process.signal(signal);
    }

    /// Starts the killed server again, on what it had written.
    pub async fn restart(&mut self) {
        self.process = spawn(self.kind, self.folder.path(), self.port, &self.variables, &self.peer);
        self.answers().await;
    }

    async fn answers(&self) {
        until(&format!("{} to answer", self.kind), async || match self.kind {
            "redis" => self.reply(b"PING\r\n", b"+PONG").await,
            _ => self.reply(b"AMQP\0\0\x09\x01", b"\x01").await,
        })
        .await;
        if self.kind == "redis" {
            // What was acknowledged must survive kill -9 even while the disk is busy.
            self.reply(b"CONFIG SET appendfsync always\r\n", b"+OK").await.unwrap();
        }
    }

    async fn reply(&self, request: &[u8], start: &[u8]) -> Option<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        stream.write_all(request).await.ok()?;
        let mut reply = vec![0; start.len()];
        stream.read_exact(&mut reply).await.ok()?;
        (reply == start).then_some(())
    }
}

/// What only the test of a cluster needs of a server.
#[allow(dead_code)]
impl Server {
    /// One more node of this RabbitMQ's cluster.
    pub async fn another_node(&self) -> Self {
        let peer = vec![self.folder.path().into(), self.port.to_string().into()];
        Self::start("rabbitmq", &std::env::temp_dir(), Variables::new(), peer).await
    }
}

/// What only the campaign needs of a server.
#[allow(dead_code)]
impl Server {
    /// Its data lie in `folder`.
    pub async fn redis_with(folder: &Path, variables: Variables) -> Self {
        Self::start("redis", folder, variables, Vec::new()).await
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// How it ended, when it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.process.exited()
    }

    /// A command of Redis that must succeed.
    pub async fn command(&self, words: &[&str]) {
        let client = redis::Client::open(self.url()).unwrap();
        let mut link = client.get_multiplexed_async_connection().await.unwrap();
        let done: Result<redis::Value, _> =
            redis::cmd(words[0]).arg(&words[1..]).query_async(&mut link).await;
        done.unwrap_or_else(|error| panic!("{words:?}: {error}"));
    }

    /// A command of Redis that has no answer for now.
    pub async fn send(&self, words: &[&str]) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        let count = words.matches('$').count();
        stream.write_all(format!("*{count}\r\n{words}").as_bytes()).await.unwrap();
    }
}

/// The tool itself: Debian's wrapper would switch to the user rabbitmq.
fn control() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/rabbitmq/lib").into_iter().flatten().flatten();
    let mut tools =
        versions.map(|version| version.path().join("sbin/rabbitmqctl")).filter(|tool| tool.exists());
    tools.next().unwrap_or_else(|| "rabbitmqctl".into())
}

fn spawn(kind: &str, folder: &Path, port: u16, variables: &Variables, peer: &[OsString]) -> Process {
    let mut command = Command::new(SCRIPT);
    command.arg(kind).arg(folder).arg(port.to_string()).args(peer).envs(variables.iter().cloned());
    // Redis writes over its environment, so that the mark of what a test started does not show on it.
    command.kill_on_drop(true);
    Process::start(kind, command)
}

/// RabbitMQ also takes the port 6,000 above; both are below 32,768, as in `tests/servers.sh`.
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(20_000..26_000);
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free(port) && free(port + 6_000) {
            return port;
        }
    }
}
