//! A program under test, which can be ended and started again.

use std::{collections::HashSet, process::ExitStatus};

use tokio::process::Command;

use super::support::Process;

pub struct Program {
    pub name: String,
    command: Box<dyn Fn() -> Command + Send + Sync>,
    process: Process,
    /// Dropping one ends whatever it left behind, and that is the pool's own affair until the campaign is
    /// over.
    former: Vec<Process>,
}

impl Program {
    pub fn start(name: &str, command: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        let process = Process::start(name, command());
        Self { name: name.to_owned(), command: Box::new(command), process, former: Vec::new() }
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// How it ended, when it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.process.exited()
    }

    pub async fn ended(&mut self) -> ExitStatus {
        self.process.ended().await
    }

    pub fn restart(&mut self) {
        let process = Process::start(&self.name, (self.command)());
        self.former.push(std::mem::replace(&mut self.process, process));
    }

    /// The workers that it supervises.
    pub fn workers(&self) -> Vec<u32> {
        children(self.pid()).into_iter().filter(|pid| words(*pid).contains(&"worker".to_owned())).collect()
    }
}

/// By name; whoever is gone by then needs none.
pub fn signal(pid: u32, name: &str) {
    let mut kill = std::process::Command::new("kill");
    let _ = kill.args([format!("-{name}"), pid.to_string()]).stderr(std::process::Stdio::null()).status();
}

pub fn children(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// All that a process has started, directly or not.
pub fn descendants(pid: u32) -> HashSet<u32> {
    let mut all = HashSet::new();
    let mut next = vec![pid];
    while let Some(pid) = next.pop() {
        next.extend(children(pid).into_iter().filter(|child| all.insert(*child)));
    }
    all
}

fn words(pid: u32) -> Vec<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}
