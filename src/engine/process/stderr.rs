//! Standard error of a supervised worker. Its supervisor reads it through a pipe, and Rust's `eprintln!`
//! panics when it is closed: a handler must not fail because the supervisor has died.
//!
//! Guarantees: lines reach the supervisor for as long as it lives, a crash's last ones as well; after that
//! they go nowhere. Never does: stand between the two. On Windows there is nothing to do: workers end with
//! their supervisor.

#[cfg(unix)]
pub use unix::SupervisedStderr;

#[cfg(windows)]
pub struct SupervisedStderr;

#[cfg(windows)]
impl SupervisedStderr {
    pub const fn hold() -> Self {
        Self
    }

    pub const fn outlive_supervisor(self) {}
}

#[cfg(unix)]
mod unix {
    use std::{fs, fs::File, io, os::unix, thread, time::Duration};

    /// Between two checks of the parent's id. What is written meanwhile has room in the pipe.
    const PAUSE: Duration = Duration::from_millis(100);

    /// Standard error from the start of a worker to its end.
    pub struct SupervisedStderr {
        supervisor: u32,
        /// With a reader of our own the pipe does not break in the moment before the supervisor's end is
        /// noticed.
        reader: Option<File>,
    }

    impl SupervisedStderr {
        /// When the process starts.
        pub fn hold() -> Self {
            Self { supervisor: unix::process::parent_id(), reader: read_end() }
        }

        /// When standard input has ended: the supervisor is dead, or it still listens while this worker
        /// drains.
        pub fn outlive_supervisor(self) {
            let watch = thread::Builder::new().name("stderr".into()).spawn(move || self.outlive());
            if let Err(error) = watch {
                tracing::warn!(%error, "standard error ends with the supervisor");
            }
        }

        fn outlive(self) {
            while unix::process::parent_id() == self.supervisor {
                thread::sleep(PAUSE);
            }
            if let Err(error) = silence() {
                tracing::warn!(%error, "standard error may be closed");
            }
            // A thread that found the pipe full goes on.
            if let Some(mut reader) = self.reader {
                let _ = io::copy(&mut reader, &mut io::sink());
            }
        }
    }

    /// Only Linux lets a process open the other end of its own pipe.
    fn read_end() -> Option<File> {
        const STDERR: &str = "/proc/self/fd/2";
        let is_pipe = unix::fs::FileTypeExt::is_fifo(&fs::metadata(STDERR).ok()?.file_type());
        File::open(STDERR).ok().filter(|_| is_pipe && cfg!(target_os = "linux"))
    }

    fn silence() -> io::Result<()> {
        let nowhere = File::options().write(true).open("/dev/null")?;
        Ok(rustix::stdio::dup2_stderr(nowhere)?)
    }

    #[cfg(test)]
    mod tests {
        use std::{
            io::{BufRead, BufReader, Write},
            process::{Child, Command, Stdio},
        };

        use super::*;

        /// Not a test of its own: what the next one runs in another process. Writes more than a pipe holds.
        #[test]
        fn probe() {
            let Ok(report) = std::env::var("CLAWPOOL_TEST_OUTLET") else { return };
            let stderr = SupervisedStderr::hold();
            eprintln!("up");
            io::stdin().read_line(&mut String::new()).unwrap();
            stderr.outlive_supervisor();
            for _ in 0..10_000 {
                eprintln!("no process reads this any more");
            }
            File::options().write(true).open(report).unwrap().write_all(b"well").unwrap();
        }

        /// A shell between the test and the probe, which is the probe's supervisor and dies.
        fn supervisor(folder: &std::path::Path) -> Child {
            let script =
                r#"exec 4<&0; "$0" --exact process::stderr::unix::tests::probe --nocapture <&4 & wait"#;
            let mut command = Command::new("sh");
            command.args(["-c", script]).arg(std::env::current_exe().unwrap());
            command.env("CLAWPOOL_TEST_OUTLET", folder.join("report"));
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        }

        #[test]
        fn writing_goes_on_when_the_supervisor_has_died() {
            let folder = tempfile::tempdir().unwrap();
            let report = folder.path().join("report");
            assert!(Command::new("mkfifo").arg(&report).status().unwrap().success());
            let mut supervisor = supervisor(folder.path());
            let mut lines = BufReader::new(supervisor.stderr.take().unwrap()).lines();
            assert!(lines.by_ref().map_while(Result::ok).any(|line| line == "up"));
            // The supervisor and the only reader are gone at once; the end of input comes after.
            supervisor.kill().unwrap();
            supervisor.wait().unwrap();
            drop(lines);
            drop(supervisor);
            assert_eq!(fs::read_to_string(&report).unwrap(), "well");
        }
    }
}
