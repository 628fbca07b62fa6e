use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use super::{Api, Cli, Ledger, Process, Servers, Settings, in_time};

/// A running pool: `clawpool up` with its workers, or a dispatcher and workers of their own on a cluster.
pub struct System {
    pub api: Api,
    pub ledger: Ledger,
    /// `clawpool up`, or the dispatcher.
    pub front: Process,
    /// Only on a cluster; those of `up` are found through the API.
    pub workers: Vec<Process>,
    pub config: PathBuf,
    pub folder: TempDir,
}

impl System {
    /// On one SQLite file. Tasks `it.*` go to the ledger. Waits for `workers`, also where the settings bring
    /// their own.
    pub async fn embedded(workers: usize, settings: Settings) -> Self {
        Self::embedded_by(workers, settings, clawpool).await
    }

    /// The same on a file that is there already. The settings bring the workers.
    pub async fn embedded_on(database: &Path, settings: Settings) -> Self {
        let program = |config: &Path| {
            let data = config.with_file_name("data");
            std::fs::create_dir(&data).unwrap();
            std::fs::copy(database, data.join("clawpool.db")).unwrap();
            clawpool(config)
        };
        Self::embedded_by(1, settings, program).await
    }

    /// The same in processes that may open so many files each.
    #[cfg(unix)]
    pub async fn embedded_with_files(files: usize, workers: usize, settings: Settings) -> Self {
        let limited = |config: &Path| {
            let mut command = Command::new("sh");
            let script = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
            command.args(["-c", &script, env!("CARGO_BIN_EXE_clawpool")]).env("CLAWPOOL_CONFIG", config);
            command
        };
        Self::embedded_by(workers, settings, limited).await
    }

    /// The same on a disk that [`Self::fill_disk`] fills.
    #[cfg(target_os = "linux")]
    pub async fn embedded_on_small_disk(workers: usize, settings: Settings) -> Self {
        Self::embedded_by(workers, settings, super::disk::on_small_disk).await
    }

    /// The same in a terminal of its own, which is closed when the front's standard input ends.
    #[cfg(unix)]
    pub async fn embedded_in_terminal(workers: usize, settings: Settings) -> Self {
        const SCRIPT: &str = "import os, pty, sys\n\
            log = os.dup(2)\n\
            child, terminal = pty.fork()\n\
            if child == 0:\n    os.dup2(log, 2)\n    os.execv(sys.argv[1], sys.argv[1:])\n\
            sys.stdin.readline()\n\
            os.close(terminal)\n\
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))";
        let program = |config: &Path| {
            let mut command = Command::new(super::server::variable("CLAWPOOL_TEST_PYTHON"));
            command.args(["-c", SCRIPT, env!("CARGO_BIN_EXE_clawpool")]).env("CLAWPOOL_CONFIG", config);
            command
        };
        Self::embedded_by(workers, settings, program).await
    }

    /// The same where the settings send the log to a file, so that its lines do not tell the address.
    pub async fn embedded_logging(workers: usize, settings: Settings) -> Self {
        let listen = format!("127.0.0.1:{}", super::free_port());
        let url = format!("http://{listen}");
        let settings = settings.with(&format!("api.listen = {listen:?}"));
        let address = async |_: &Process| {
            let api = Api::new(&url);
            super::until("a dispatcher that serves", async || api.serves().await.then_some(())).await;
            url.clone()
        };
        Self::embedded_at(workers, settings, clawpool, address).await
    }

    async fn embedded_by(workers: usize, settings: Settings, program: impl Fn(&Path) -> Command) -> Self {
        Self::embedded_at(workers, settings, program, async |front: &Process| address(front).await).await
    }

    async fn embedded_at(
        workers: usize,
        settings: Settings,
        program: impl Fn(&Path) -> Command,
        address: impl AsyncFn(&Process) -> String,
    ) -> Self {
        let folder = folder();
        let ledger = Ledger::start().await;
        let data = toml::Value::from(folder.path().join("data").display().to_string());
        let settings = settings.with(&format!("embedded.data = {data}")).http("it.*", &ledger.url);
        let config = settings.write(folder.path());
        let front = up(program(&config), (!settings.has("pools")).then_some(workers));
        let api = Api::new(address(&front).await);
        let system = Self { api, ledger, front, workers: Vec::new(), config, folder };
        system.registered(workers).await;
        system
    }

    /// A dispatcher and workers without a supervisor.
    pub async fn apart(workers: usize, settings: Settings) -> Self {
        let folder = folder();
        let ledger = Ledger::start().await;
        let config = settings.http("it.*", &ledger.url).write(folder.path());
        let front = dispatcher(&config);
        let api = Api::new(address(&front).await);
        let mut system = Self { api, ledger, front, workers: Vec::new(), config, folder };
        for _ in 0..workers {
            system.add_worker().await;
        }
        system
    }

    /// The same on the Redis and the RabbitMQ that all tests share.
    pub async fn cluster(workers: usize) -> Self {
        Self::apart(workers, Servers::shared().settings()).await
    }

    /// A dispatcher whose servers may be away.
    pub async fn starting(settings: Settings) -> Self {
        let folder = folder();
        let ledger = Ledger::start().await;
        let config = settings.http("it.*", &ledger.url).write(folder.path());
        let front = dispatcher(&config);
        let api = Api::new(address_in(&front, "answering 503").await);
        Self { api, ledger, front, workers: Vec::new(), config, folder }
    }

    /// One more worker process. Returns its place in `workers`.
    pub async fn add_worker(&mut self) -> usize {
        self.add_worker_with(&[]).await
    }

    /// The same with variables in its environment.
    pub async fn add_worker_with(&mut self, env: &[(&str, &str)]) -> usize {
        let mut command = clawpool(&self.config);
        command.arg("worker").envs(env.iter().copied());
        let worker = Process::start(&format!("worker {}", self.workers.len()), command);
        worker.line(&["the worker is ready"]).await;
        self.workers.push(worker);
        self.workers.len() - 1
    }

    /// A dispatcher beside the first one.
    pub async fn second_dispatcher(&self) -> (Process, Api) {
        let process = dispatcher(&self.config);
        let api = Api::new(address(&process).await);
        (process, api)
    }

    /// `clawpool autoscaler` on the same servers.
    pub fn autoscaler(&self, args: &[&str]) -> Process {
        let mut command = clawpool(&self.config);
        command.arg("autoscaler").args(args);
        Process::start("autoscaler", command)
    }

    /// `clawpool up` again, on the same data.
    pub async fn restart_up(&mut self, workers: usize) {
        self.front = up(clawpool(&self.config), Some(workers));
        self.api = Api::new(address(&self.front).await);
        self.registered(workers).await;
    }

    async fn registered(&self, workers: usize) {
        super::until(&format!("{workers} workers"), async || {
            (self.api.workers().await.iter().filter(|worker| worker.alive).count() >= workers).then_some(())
        })
        .await;
    }

    pub fn cli(&self) -> Cli {
        Cli::new(&self.api.url)
    }

    /// Stops everything that still runs, workers first, and holds it to ending well (exit code 0).
    pub async fn stop(mut self) {
        for worker in &mut self.workers {
            worker.stop().await;
        }
        self.front.stop().await;
    }
}

pub fn clawpool(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clawpool"));
    command.env("CLAWPOOL_CONFIG", config);
    command
}

fn up(mut command: Command, workers: Option<usize>) -> Process {
    command.arg("up").args(workers.map(|workers| format!("--workers={workers}")));
    Process::start("clawpool up", command)
}

fn dispatcher(config: &Path) -> Process {
    let mut command = clawpool(config);
    command.arg("dispatcher");
    Process::start("dispatcher", command)
}

/// Where it serves, as it says itself.
async fn address(process: &Process) -> String {
    address_in(process, "\"serving HTTP\"").await
}

async fn address_in(process: &Process, words: &str) -> String {
    let line = in_time("the address", process.line(&[words])).await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    format!("http://{}", line["address"].as_str().unwrap())
}

fn folder() -> TempDir {
    TempDir::with_prefix("clawpool-it-").unwrap()
}
