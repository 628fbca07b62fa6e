//! A child process and everything it starts: one process group on Unix, one job object on Windows.

use std::{
    io,
    process::ExitStatus,
    sync::atomic::{AtomicUsize, Ordering},
};

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

use super::Limits;

/// Trees of this process.
static TREES: AtomicUsize = AtomicUsize::new(0);

/// Killed as a whole when dropped. A descendant that leaves the process group on purpose (setsid) leaves the
/// tree as well.
#[derive(Debug)]
pub struct Tree {
    child: Box<dyn ChildWrapper>,
    pid: u32,
    /// Reaped: its numbers may belong to other processes by now and must not be signalled any more.
    over: bool,
}

impl Tree {
    /// Starts a child without limits.
    pub fn spawn(command: Command) -> io::Result<Self> {
        Self::spawn_within(command, Limits::default())
    }

    /// Windows: the whole tree has these limits, from its first instruction on.
    pub fn spawn_within(command: Command, limits: Limits) -> io::Result<Self> {
        let mut command = CommandWrap::from(command);
        command.wrap(KillOnDrop);
        platform::bind(&mut command, limits);
        let child = command.spawn()?;
        let pid = child.id().unwrap_or_default();
        TREES.fetch_add(1, Ordering::Relaxed);
        Ok(Self { child, pid, over: false })
    }

    /// Whether this process has none.
    pub fn none() -> bool {
        TREES.load(Ordering::Relaxed) == 0
    }

    /// Of the first process; 0 when it ended before it could be read.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// The pipe to the first process; none when it was taken or not asked for.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin().take()
    }

    /// The pipe from it; see [`stdin`](Self::stdin).
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout().take()
    }

    /// The pipe from it; see [`stdin`](Self::stdin).
    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr().take()
    }

    /// Waits until the first process of the tree ends, then ends and reaps the descendants it left running.
    /// Dropping the future loses nothing: call it again.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.inner_mut().wait().await?;
        self.kill();
        // The group's other members have another parent and are reaped by it; on Windows this waits for the
        // whole job.
        self.child.wait().await?;
        self.over = true;
        Ok(status)
    }

    /// Asks the tree to end: SIGTERM. Windows knows no such request for programs without a window, so it
    /// kills there.
    pub fn terminate(&mut self) {
        if !self.over {
            platform::terminate(self.child.as_mut());
        }
    }

    /// Ends the tree now; `wait` reaps it. No process left to kill is no error.
    pub fn kill(&mut self) {
        if !self.over {
            let _ = self.child.start_kill();
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        TREES.fetch_sub(1, Ordering::Relaxed);
        self.kill();
    }
}

#[cfg(unix)]
mod platform {
    use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessGroup};
    use tokio::signal::unix::SignalKind;

    use super::Limits;

    pub(super) fn bind(command: &mut CommandWrap, _: Limits) {
        command.wrap(ProcessGroup::leader());
    }

    pub(super) fn terminate(child: &mut dyn ChildWrapper) {
        let _ = child.signal(SignalKind::terminate().as_raw_value());
    }
}

#[cfg(windows)]
mod platform {
    use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject};

    use super::Limits;
    use crate::process::limits::Limited;

    pub(super) fn bind(command: &mut CommandWrap, limits: Limits) {
        if limits != Limits::default() {
            command.wrap(Limited(limits));
        }
        command.wrap(JobObject);
    }

    pub(super) fn terminate(child: &mut dyn ChildWrapper) {
        let _ = child.start_kill();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{process::Stdio, time::Duration};

    use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

    use super::*;

    fn shell(script: &str) -> Tree {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped());
        Tree::spawn(command).unwrap()
    }

    /// Three levels that all ignore SIGTERM; the leaf says when it stands.
    const STUBBORN: &str = "trap '' TERM; sh -c \"trap '' TERM; sh -c \\\"trap '' TERM; echo up; sleep \
        1000\\\"; sleep 1000\" & wait";

    /// Every process of the tree holds the pipe open, so its end is the end of them all.
    async fn all_gone(tree: &mut Tree) {
        let mut rest = String::new();
        tree.stdout().unwrap().read_to_string(&mut rest).await.unwrap();
    }

    async fn first_line(tree: &mut Tree) -> BufReader<ChildStdout> {
        let mut reader = BufReader::new(tree.stdout().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).await.unwrap();
        assert_eq!(line, "up\n");
        reader
    }

    #[tokio::test]
    async fn kill_ends_three_levels() {
        let mut tree = shell(STUBBORN);
        let mut reader = first_line(&mut tree).await;
        tree.terminate();
        assert!(
            tokio::time::timeout(Duration::from_millis(100), tree.wait()).await.is_err(),
            "SIGTERM is ignored"
        );
        tree.kill();
        assert!(!tree.wait().await.unwrap().success());
        reader.read_to_string(&mut String::new()).await.unwrap();
    }

    #[tokio::test]
    async fn drop_ends_three_levels() {
        let mut tree = shell(STUBBORN);
        let mut reader = first_line(&mut tree).await;
        drop(tree);
        reader.read_to_string(&mut String::new()).await.unwrap();
    }

    #[tokio::test]
    async fn what_the_first_process_leaves_behind_ends_with_it() {
        let mut tree = shell("sleep 1000 & exit 3");
        assert_eq!(tree.wait().await.unwrap().code(), Some(3));
        all_gone(&mut tree).await;
        tree.kill();
    }
}
