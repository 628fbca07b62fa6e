//! A second, tiny process beside each worker that runs programs. It ends them when the worker cannot do so
//! itself.
//!
//! Guarantees: when the worker is killed, by any signal, everything that its programs started and that
//! still carries their mark is killed within a second; when the worker is stopped for longer than its lease,
//! so that others take its tasks over, its programs are killed, too. Never does: end a program of a worker
//! that works; wake while none runs. On Windows a job object does this, so there is no guard.

use std::sync::LazyLock;

use super::WORKER_ENV;
use clawpool_core::task::ProcessId;

pub use platform::{guard_if_asked, watch};

/// By this the guard finds the programs of this process. A supervised worker's own id, by which its
/// supervisor finds them as well.
pub fn owner() -> &'static str {
    static OWNER: LazyLock<String> =
        LazyLock::new(|| std::env::var(WORKER_ENV).unwrap_or_else(|_| ProcessId::new().to_string()));
    &OWNER
}

#[cfg(unix)]
mod platform {
    use std::{
        io::{self, BufReader, Read, Write},
        os::unix::process::CommandExt,
        process::{Child, Command, Stdio},
        sync::{
            Condvar, Mutex, MutexGuard, PoisonError,
            atomic::{AtomicBool, Ordering},
            mpsc::{self, RecvTimeoutError},
        },
        thread,
        time::Duration,
    };

    use super::owner;
    use crate::process::orphans::{Mark, end_marked};

    /// Makes a program a guard: whose programs, and after how many milliseconds of silence they end.
    const GUARD_ENV: &str = "CLAWPOOL_GUARD";

    /// What the worker says: programs run and it works; none runs.
    const BEAT: u8 = b'b';
    const REST: u8 = b'r';

    /// Of the lease: how often a worker with programs says that it works.
    const BEATS: u32 = 6;

    /// Whether this program becomes a guard when it is started as one.
    static ABLE: AtomicBool = AtomicBool::new(false);

    /// To be called first in `main`: a process that was started as a guard does not come back from it.
    pub fn guard_if_asked() {
        ABLE.store(true, Ordering::Relaxed);
        let asked = std::env::var(GUARD_ENV).ok();
        let asked = asked.as_deref().and_then(|asked| asked.split_once(' '));
        if let Some((owner, silence)) = asked {
            let silence = Duration::from_millis(silence.parse().unwrap_or(u64::MAX));
            guard(owner, silence, io::stdin());
            std::process::exit(0);
        }
    }

    /// Until the worker is gone.
    fn guard(owner: &str, silence: Duration, line: impl Read + Send + 'static) {
        let (said, heard) = mpsc::channel();
        let line = BufReader::new(line);
        thread::spawn(move || line.bytes().map_while(Result::ok).try_for_each(|byte| said.send(byte)));
        let mut programs = false;
        loop {
            let news = if programs { heard.recv_timeout(silence) } else { heard.recv().map_err(Into::into) };
            match news {
                Ok(byte) => programs = byte == BEAT,
                Err(error) => {
                    end_marked(&[Mark::owner(owner)]);
                    programs = false;
                    if error == RecvTimeoutError::Disconnected {
                        return;
                    }
                }
            }
        }
    }

    /// Of the programs of this process.
    struct Programs {
        running: Mutex<usize>,
        changed: Condvar,
        /// The thread that speaks to the guard is there.
        watched: AtomicBool,
    }

    static PROGRAMS: Programs =
        Programs { running: Mutex::new(0), changed: Condvar::new(), watched: AtomicBool::new(false) };

    impl Programs {
        fn running(&self) -> MutexGuard<'_, usize> {
            self.running.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// A program is watched over while this lives.
    #[must_use]
    pub struct Watch(());

    /// To be called before a program starts. `lease` is the worker's: others may run its tasks when it was
    /// silent for so long.
    pub fn watch(lease: Duration) -> Watch {
        *PROGRAMS.running() += 1;
        let able = ABLE.load(Ordering::Relaxed);
        if able && !PROGRAMS.watched.swap(true, Ordering::Relaxed) {
            let guard = Guard::start(lease);
            let speaker = thread::Builder::new().name("guard".into()).spawn(move || speak(guard, lease));
            if let Err(error) = speaker {
                PROGRAMS.watched.store(false, Ordering::Relaxed);
                tracing::warn!(%error, "programs of a killed worker run on: the guard could not be started");
            }
        }
        PROGRAMS.changed.notify_one();
        Watch(())
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            *PROGRAMS.running() -= 1;
        }
    }

    /// Tells the guard about once a sixth of a lease that this process works, while programs run.
    fn speak(mut guard: Option<Guard>, lease: Duration) {
        loop {
            let running = PROGRAMS.running();
            drop(PROGRAMS.changed.wait_while(running, |running| *running == 0));
            while *PROGRAMS.running() > 0 {
                guard = guard.and_then(|guard| guard.told(BEAT)).or_else(|| Guard::start(lease));
                thread::sleep(lease / BEATS);
            }
            guard = guard.and_then(|guard| guard.told(REST));
        }
    }

    struct Guard(Child);

    impl Guard {
        fn start(lease: Duration) -> Option<Self> {
            // By this name it is this very program, also after the file was replaced.
            let program =
                if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() };
            let started = program.and_then(|program| {
                let mut command = Command::new(program);
                command.arg0("clawpool-guard").env(GUARD_ENV, format!("{} {}", owner(), lease.as_millis()));
                // A group of its own: a signal to the worker's group does not reach it.
                command
                    .process_group(0)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
            });
            started
                .inspect_err(|error| {
                    tracing::warn!(%error, "programs of a killed worker run on: the guard could not be \
                        started");
                })
                .ok()
                .map(Self)
        }

        /// `None`: it is gone.
        fn told(mut self, word: u8) -> Option<Self> {
            let told = self.0.stdin.as_mut().is_some_and(|line| line.write_all(&[word]).is_ok());
            if told {
                return Some(self);
            }
            let _ = self.0.kill();
            let _ = self.0.wait();
            None
        }
    }
}

#[cfg(windows)]
mod platform {
    use std::time::Duration;

    /// Does nothing: here no program becomes a guard.
    pub fn guard_if_asked() {}

    /// Does nothing: the job object ends with the worker.
    #[must_use]
    pub struct Watch(());

    /// As on Unix, so that callers need not tell the two apart.
    pub fn watch(_: Duration) -> Watch {
        Watch(())
    }
}
