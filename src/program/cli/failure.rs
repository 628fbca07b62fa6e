use std::{fmt::Display, io, process::ExitCode};

use clawpool_engine::client::ClientError;
use clawpool_server::{app::AppError, telemetry::Keep};

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   failed, or the answer is no (a task that died, a refused line, an unhealthy server)
  2   wrong usage
  69  no server answers
  75  busy, or not finished in time: the same command may succeed later
  78  the configuration is wrong";

/// How a command ends when it does not succeed.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// For standard error; empty when everything has been said.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The reader of standard output left (`| head`): it has what it wanted.
    Closed = 0,
    Failed = 1,
    Usage = 2,
    Unreachable = 69,
    Busy = 75,
    Configuration = 78,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Display) -> Self {
        Self { exit, message: message.to_string() }
    }

    pub fn failed(message: impl Display) -> Self {
        Self::new(Exit::Failed, message)
    }

    pub fn usage(message: impl Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The answer is no, and standard output says so.
    pub fn negative() -> Self {
        Self::new(Exit::Failed, "")
    }

    pub(super) fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            eprint_line(&self.message);
        }
        ExitCode::from(self.exit as u8)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::new(Exit::Closed, "")
        } else {
            Self::failed(format!("standard output cannot be written: {error}"))
        }
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        match error {
            AppError::System(error) => error.into(),
            AppError::Configuration(_) => Self::new(Exit::Configuration, error),
            AppError::Unreachable(_) => Self::new(Exit::Unreachable, error),
            AppError::Failed(_) => Self::failed(error),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Address { url, reason } => {
                Self::usage(format_args!("--url {url:?}: {reason}; write http://HOST:PORT"))
            }
            ClientError::Unreachable { .. } => Self::new(
                Exit::Unreachable,
                format_args!(
                    "{error}: start one with `clawpool up`, or name another with --url or CLAWPOOL_URL"
                ),
            ),
            ClientError::Busy { .. } => Self::new(Exit::Busy, error),
            ClientError::Refused { .. } | ClientError::Unreadable { .. } | ClientError::Setup(_) => {
                Self::failed(error)
            }
        }
    }
}

/// Shows what others wrote and does not obey it. Standard error may be closed as well, and then nothing can
/// be said.
pub(super) fn eprint_line(text: &str) {
    use io::Write;
    let _ = writeln!(io::stderr(), "{}", Keep::Lines.visible(text));
}
