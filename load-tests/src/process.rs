//! Programs of a run, and what they use of the machine.

use std::{ffi::OsStr, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, Signal, System};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::mpsc,
};

use crate::site::Pool;

/// A process of Clawpool: this program in another role.
pub struct Process {
    child: Child,
    pub pid: u32,
    /// What it logs, as it comes.
    lines: mpsc::UnboundedReceiver<String>,
}

impl Process {
    /// A worker with the handlers that measure.
    pub fn worker(pool: &Pool) -> Result<Self> {
        Self::start(pool, &["worker"], &[])
    }

    /// Until a worker takes tasks.
    pub async fn ready(&mut self) -> Result<()> {
        self.line("the worker is ready").await.map(drop)
    }

    pub fn signal(&self, signal: Signal) {
        send(self.pid, signal);
    }

    /// A dispatcher, and the address that it serves.
    pub async fn dispatcher(pool: &Pool) -> Result<(Self, String)> {
        let mut process = Self::start(pool, &["clawpool", "dispatcher"], &[])?;
        let line = process.line("\"serving HTTP\"").await?;
        let line: serde_json::Value = serde_json::from_str(&line)?;
        let address =
            line["address"].as_str().context("the dispatcher does not say where it serves")?.to_owned();
        Ok((process, address))
    }

    pub fn start(pool: &Pool, arguments: &[&str], environment: &[(&str, &OsStr)]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.envs(environment.iter().copied());
        command.args(arguments).env("CLAWPOOL_CONFIG", &pool.file).stdin(Stdio::null()).kill_on_drop(true);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let pid = child.id().context("the process has ended already")?;
        let mut log = BufReader::new(child.stderr.take().context("it has no standard error")?).lines();
        let (send, lines) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = log.next_line().await {
                // The reader may have gone; the pipe must be read all the same.
                let _ = send.send(line);
            }
        });
        Ok(Self { child, pid, lines })
    }

    async fn line(&mut self, part: &str) -> Result<String> {
        let mut last = String::new();
        while let Some(line) = self.lines.recv().await {
            if line.contains(part) {
                return Ok(line);
            }
            last = line;
        }
        bail!("a process ended before it said {part:?}; its last words: {last}")
    }

    /// Asks it to end, and holds it to ending well.
    pub async fn stop(mut self) -> Result<()> {
        terminate(&self.child);
        self.ended().await
    }

    pub async fn ended(&mut self) -> Result<()> {
        let ended = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await;
        let status = ended.context("a process did not end")??;
        if !status.success() {
            let mut last = String::new();
            while let Ok(line) = self.lines.try_recv() {
                last = line;
            }
            bail!("a process ended with {status}; its last words: {last}");
        }
        Ok(())
    }
}

/// Asks a process to end.
pub fn terminate(child: &Child) {
    if let Some(pid) = child.id() {
        send(pid, Signal::Term);
    }
}

fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_u32(pid);
    let Ok(mut system) = System::new() else { return };
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing());
    if let Some(process) = system.process(pid)
        && process.kill_with(signal).is_none()
    {
        // Not on this system: then it is ended the hard way.
        process.kill();
    }
}

/// What processes have used until now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Bytes of memory that are resident, of the largest of them.
    pub memory: u64,
}

impl Usage {
    pub fn of(pids: &[u32]) -> Result<Self> {
        let pids: Vec<Pid> = pids.iter().copied().map(Pid::from_u32).collect();
        let mut system = System::new()?;
        let kind = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, kind);
        let mut usage = Self::default();
        for process in pids.iter().filter_map(|pid| system.process(*pid)) {
            usage.cpu += Duration::from_millis(process.accumulated_cpu_time());
            usage.memory = usage.memory.max(process.memory());
        }
        Ok(usage)
    }
}
