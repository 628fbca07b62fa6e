use std::{
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
};

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, ChildStdin, Command},
    sync::watch,
};

use super::in_time;

/// A program under test: its output is kept line by line, and nothing it started outlives it.
pub struct Process {
    name: String,
    child: Child,
    pid: u32,
    lines: Lines,
    /// Dropped last, when the process is.
    _mark: Mark,
}

/// A variable that whatever was started with it inherits. What still carries it when the mark is dropped is
/// killed.
pub struct Mark(String);

impl Mark {
    const NAME: &str = "CLAWPOOL_TEST_MARK";

    pub fn new(command: &mut Command) -> Self {
        let value = uuid::Uuid::new_v4().to_string();
        command.env(Self::NAME, &value);
        Self(format!("{}={value}", Self::NAME))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let environment = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always);
        let Ok(mut system) = System::new() else { return };
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, environment);
        let marked =
            |process: &&sysinfo::Process| process.environ().iter().any(|variable| *variable == *self.0);
        system.processes().values().filter(marked).for_each(|process| {
            process.kill();
        });
    }
}

impl Process {
    /// Standard input is a pipe: see [`Process::stdin`].
    pub fn start(name: &str, mut command: Command) -> Self {
        let mark = Mark::new(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {command:?}: {error}"));
        let lines = Lines::default();
        lines.follow(child.stdout.take().unwrap());
        lines.follow(child.stderr.take().unwrap());
        Self { name: name.to_owned(), pid: child.id().unwrap(), child, lines, _mark: mark }
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("standard input was taken before")
    }

    /// The first line that holds all of `parts`, past or to come.
    pub async fn line(&self, parts: &[&str]) -> String {
        let what = format!("a line of {} with {parts:?}", self.name);
        in_time(&what, self.lines.find(parts))
            .await
            .unwrap_or_else(|| panic!("{} ended without {what}", self.name))
    }

    pub fn said(&self, part: &str) -> bool {
        self.lines.all.lock().unwrap().iter().any(|line| line.contains(part))
    }

    pub async fn ended(&mut self) -> ExitStatus {
        in_time(&format!("{} to end", self.name), self.child.wait()).await.unwrap()
    }

    /// How it ended, when it has. The campaign asks.
    #[allow(dead_code)]
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends a signal by name: `TERM`, `STOP`.
    #[cfg(unix)]
    pub fn signal(&self, signal: &str) {
        super::signal(self.pid, signal);
    }

    /// Asks it to end, and holds it to ending well.
    pub async fn stop(&mut self) {
        #[cfg(unix)]
        self.signal("TERM");
        #[cfg(windows)]
        drop(self.child.stdin.take());
        let status = self.ended().await;
        assert!(status.success(), "{} ended with {status}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- {} said at last:\n{}", self.name, self.lines.last(80));
        }
    }
}

#[derive(Clone, Default)]
struct Lines {
    all: Arc<Mutex<Vec<String>>>,
    /// Counts the lines. Closed when the process writes no more.
    count: watch::Sender<usize>,
}

impl Lines {
    fn follow(&self, pipe: impl AsyncRead + Unpin + Send + 'static) {
        let lines = self.clone();
        tokio::spawn(async move {
            let mut reader = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                lines.all.lock().unwrap().push(line);
                lines.count.send_modify(|count| *count += 1);
            }
        });
    }

    async fn find(&self, parts: &[&str]) -> Option<String> {
        let mut count = self.count.subscribe();
        let mut seen = 0;
        loop {
            {
                let all = self.all.lock().unwrap();
                if let Some(line) =
                    all[seen..].iter().find(|line| parts.iter().all(|part| line.contains(part)))
                {
                    return Some(line.clone());
                }
                seen = all.len();
            }
            count.wait_for(|count| *count > seen).await.ok()?;
        }
    }

    fn last(&self, lines: usize) -> String {
        let all = self.all.lock().unwrap();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}
