//! When this process is told to end.

use std::{
    io::{self, Read},
    sync::LazyLock,
    thread,
};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::reload::request_reload;

/// The two stages of ending, which every part of the process can watch.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Take nothing new, finish what runs, leave.
    pub drain: CancellationToken,
    /// Leave without finishing. Never fires before `drain`.
    pub now: CancellationToken,
}

impl Shutdown {
    /// Nothing but its own tokens fires it.
    pub fn new() -> Self {
        let now = CancellationToken::new();
        Self { drain: now.child_token(), now }
    }

    /// Fires `drain` at the first SIGTERM or SIGINT, or SIGHUP when its terminal is gone (not under `nohup`)
    /// (Windows: Ctrl-C, Ctrl-Break, window closed, system going down) and `now` at the second. A SIGHUP from
    /// elsewhere asks for a reload; where nobody follows such requests it counts as the others.
    pub fn on_signals() -> io::Result<Self> {
        let mut signals = platform::Signals::listen()?;
        let shutdown = Self::new();
        let Self { drain, now } = shutdown.clone();
        tokio::spawn(async move {
            let first = tokio::select! {
                signal = signals.recv() => signal,
                () = REQUESTED.cancelled() => "the service manager",
            };
            tracing::info!(signal = first, "finishing what runs; once more to leave at once");
            drain.cancel();
            let second = signals.recv().await;
            tracing::warn!(signal = second, "leaving at once");
            now.cancel();
        });
        Ok(shutdown)
    }
}

static REQUESTED: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::new);

/// What the first signal does, for a service manager that does not send signals: Windows'.
pub fn request_stop() {
    REQUESTED.cancel();
}

/// Waits until standard input ends: how a supervised worker learns, on every system, that it should finish
/// and leave, or that its supervisor is gone. What comes before its end asks for a reload. For supervised
/// processes alone; a service's input may be closed from the start.
///
/// A plain thread reads, because a read of the runtime's own cannot be called off and would hold up the
/// process's end.
pub async fn stdin_closed() {
    let (gone, closed) = oneshot::channel::<()>();
    let reader = thread::Builder::new().name("stdin".into()).spawn(move || {
        read_to_end(&mut io::stdin(), request_reload);
        drop(gone);
    });
    match reader {
        Ok(_) => drop(closed.await),
        Err(error) => {
            tracing::warn!(%error, "standard input is not watched: the supervisor's end will go unnoticed");
            std::future::pending().await
        }
    }
}

fn read_to_end(input: &mut impl Read, heard: impl Fn()) {
    let mut ignored = [0; 256];
    loop {
        match input.read(&mut ignored) {
            Ok(1..) => heard(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
        }
    }
}

#[cfg(unix)]
mod platform {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use crate::process::{
        reload::{is_followed, request_reload},
        terminal::Terminal,
    };

    pub(super) struct Signals {
        terminate: Signal,
        interrupt: Signal,
        /// `None`: this process was started to outlive its terminal.
        hangup: Option<Signal>,
        terminal: Terminal,
    }

    impl Signals {
        pub(super) fn listen() -> io::Result<Self> {
            let hangup = (!hangup_is_ignored()).then(|| signal(SignalKind::hangup())).transpose()?;
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hangup,
                terminal: Terminal::of_this_process(),
            })
        }

        pub(super) async fn recv(&mut self) -> &'static str {
            loop {
                tokio::select! {
                    _ = self.terminate.recv() => return "SIGTERM",
                    _ = self.interrupt.recv() => return "SIGINT",
                    Some(()) = hung_up(&mut self.hangup) => {
                        if !is_followed() || self.terminal.is_lost().await {
                            return "SIGHUP";
                        }
                        request_reload();
                    }
                }
            }
        }
    }

    async fn hung_up(hangup: &mut Option<Signal>) -> Option<()> {
        hangup.as_mut()?.recv().await
    }

    /// `nohup` and service managers ignore SIGHUP for what they start; listening would undo that.
    fn hangup_is_ignored() -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        ignored.is_some_and(|mask| mask & 1 == 1)
    }
}

#[cfg(windows)]
mod platform {
    use std::io;

    use tokio::signal::windows::{self, CtrlBreak, CtrlC, CtrlClose, CtrlShutdown};

    pub(super) struct Signals {
        interrupt: CtrlC,
        terminate: CtrlBreak,
        close: CtrlClose,
        shutdown: CtrlShutdown,
    }

    impl Signals {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self {
                interrupt: windows::ctrl_c()?,
                terminate: windows::ctrl_break()?,
                close: windows::ctrl_close()?,
                shutdown: windows::ctrl_shutdown()?,
            })
        }

        pub(super) async fn recv(&mut self) -> &'static str {
            tokio::select! {
                _ = self.interrupt.recv() => "Ctrl-C",
                _ = self.terminate.recv() => "Ctrl-Break",
                _ = self.close.recv() => "window closed",
                _ = self.shutdown.recv() => "system shutdown",
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Command, Stdio},
        time::Duration,
    };

    use super::*;

    #[test]
    fn now_means_drain_as_well_and_not_the_reverse() {
        let shutdown = Shutdown::new();
        shutdown.drain.cancel();
        assert!(!shutdown.now.is_cancelled());
        let shutdown = Shutdown::new();
        shutdown.now.cancel();
        assert!(shutdown.drain.is_cancelled());
    }

    #[test]
    fn input_is_read_to_its_end() {
        let mut input = io::Cursor::new(vec![7; 1000]);
        let heard = std::cell::Cell::new(0);
        read_to_end(&mut input, || heard.set(heard.get() + 1));
        assert_eq!(input.position(), 1000);
        assert_eq!(heard.get(), 4, "what comes asks for a reload");
    }

    /// Not a test of its own: what the next one runs in another process.
    #[tokio::test]
    async fn probe() {
        match std::env::var("CLAWPOOL_TEST_STDIN").as_deref() {
            Ok("ends") => stdin_closed().await,
            Ok("stays") => {
                assert!(tokio::time::timeout(Duration::from_millis(10), stdin_closed()).await.is_err())
            }
            _ => {}
        }
    }

    #[test]
    fn the_end_of_input_is_noticed_and_an_open_input_holds_nothing_up() {
        for (input, holds) in [("ends", false), ("stays", true)] {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "process::shutdown::tests::probe"]).env("CLAWPOOL_TEST_STDIN", input);
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            let held = child.stdin.take().filter(|_| holds);
            assert!(child.wait().unwrap().success(), "{input}");
            drop(held);
        }
    }

    /// An order of the test's own process, as with signals.
    #[tokio::test]
    async fn a_request_means_drain() {
        let shutdown = Shutdown::on_signals().unwrap();
        request_stop();
        shutdown.drain.cancelled().await;
        assert!(!shutdown.now.is_cancelled());
    }

    /// Where nobody follows requests to reload.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_lost_terminal_means_drain() {
        let shutdown = Shutdown::on_signals().unwrap();
        Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status().unwrap();
        shutdown.drain.cancelled().await;
        assert!(!shutdown.now.is_cancelled());
    }

    /// The test's own process has its terminal, or never had one.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_hangup_asks_for_a_reload_where_that_is_followed() {
        let mut requests = crate::process::reload_requests();
        let shutdown = Shutdown::on_signals().unwrap();
        Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status().unwrap();
        requests.next().await;
        assert!(!shutdown.drain.is_cancelled());
    }

    /// Signals of the test's own process: one process a test (nextest) keeps the others out of it.
    #[cfg(unix)]
    #[tokio::test]
    async fn the_second_signal_means_now() {
        let shutdown = Shutdown::on_signals().unwrap();
        let kill = |signal: &'static str| {
            Command::new("kill").args([signal, &std::process::id().to_string()]).status().unwrap()
        };
        kill("-TERM");
        shutdown.drain.cancelled().await;
        assert!(!shutdown.now.is_cancelled());
        kill("-INT");
        shutdown.now.cancelled().await;
    }
}
