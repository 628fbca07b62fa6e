use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::cli::failure::Failure;
use clawpool_engine::client::Client;

/// The folder that the demo plays in, and the address it uses.
pub(super) struct Site {
    root: PathBuf,
    port: u16,
    /// Removes the folder at the end, unless the user keeps it.
    _temporary: Option<TempDir>,
}

/// Worker processes.
pub(super) const WORKERS: usize = 3;

/// How many files the exec tasks share.
const FILES: u32 = 20;

impl Site {
    pub(super) fn prepare(keep: Option<PathBuf>) -> Result<Self, Failure> {
        let temporary = keep.is_none().then(|| TempDir::with_prefix("clawpool-demo-")).transpose()?;
        let root = match (&temporary, keep) {
            (Some(folder), _) => folder.path().to_owned(),
            (None, keep) => std::path::absolute(keep.unwrap_or_default())?,
        };
        // Another program could take the port in between; `clawpool up` then says so and the demo ends.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let site = Self { root, port, _temporary: temporary };
        for folder in ["data", "ledger", "in", "out"] {
            fs::create_dir_all(site.root.join(folder))?;
        }
        (0..FILES).try_for_each(|n| fs::write(site.input(n), words(n)))?;
        fs::write(site.root.join("clawpool.toml"), site.config()?)?;
        Ok(site)
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("clawpool.log")
    }

    pub(super) fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }

    pub(super) fn input(&self, n: u32) -> PathBuf {
        self.root.join("in").join(format!("{}.txt", n % FILES))
    }

    pub(super) fn output(&self, n: u32) -> PathBuf {
        self.root.join("out").join(format!("{n}.txt"))
    }

    /// Starts `clawpool up`, and returns when it answers.
    pub(super) async fn start(&self) -> Result<Server, Failure> {
        let log = fs::File::create(self.log())?;
        let child = Command::new(std::env::current_exe()?)
            .arg("up")
            .arg("--config")
            .arg(self.root.join("clawpool.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let mut server = Server { child };
        let client = Client::new(&self.url(), None)?;
        for _ in 0..300 {
            if client.health().await.is_ok() {
                return Ok(server);
            }
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(self.failed(&format!("`clawpool up` ended: {status}")));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(self.failed("`clawpool up` does not answer"))
    }

    fn failed(&self, what: &str) -> Failure {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(5).collect();
        Failure::failed(format_args!("{what}\n{}", last.into_iter().rev().collect::<Vec<_>>().join("\n")))
    }

    fn config(&self) -> Result<String, Failure> {
        let program = text(&std::env::current_exe()?);
        let data = text(&self.root.join("data"));
        let ledger = text(&self.ledger());
        let exec = |kind: &str, job: &str| {
            format!(
                "[[handlers]]\nkind = {kind:?}\nexec.command = [{program}, \"demo-tool\", {job:?}, \
                {ledger}]\n"
            )
        };
        let rules = [
            ("voice.*", "P0"),
            ("user.*", "P1"),
            ("demo.*", "P1"),
            ("llm.*", "P2"),
            ("browser.*", "P3"),
            ("file.*", "P5"),
            ("background.*", "P6"),
        ];
        let rules: String = rules
            .iter()
            .map(|(kind, p)| format!("[[rules]]\nkinds = [{kind:?}]\npriority = {p:?}\n"))
            .collect();
        Ok(format!(
            "embedded.data = {data}\n\
             api.listen = \"127.0.0.1:{}\"\n\
             pacing = {{ per_second = 200.0, burst = 50 }}\n\
             {rules}{}{}\
             [[pools]]\n\
             name = \"demo\"\n\
             workers = {WORKERS}\n\
             command = [{program}, \"demo-worker\", {ledger}]\n",
            self.port,
            exec("file.checksum", "checksum"),
            exec("file.sort", "sort"),
        ))
    }
}

/// The server's process.
pub(super) struct Server {
    child: Child,
}

impl Server {
    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Its workers leave by themselves when their supervisor is gone.
    pub(super) async fn stop(mut self) {
        let _ = self.child.kill().await;
    }
}

/// A path as a TOML string.
fn text(path: &Path) -> String {
    toml::Value::from(path.display().to_string()).to_string()
}

/// A file of numbered lines in no order.
fn words(n: u32) -> String {
    (0..2000u32)
        .map(|line| format!("{:08x} line {line} of file {n}\n", (line + n).wrapping_mul(2_654_435_761)))
        .collect()
}
