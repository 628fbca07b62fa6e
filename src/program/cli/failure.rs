use std::{ffi::OsString, fmt::Display, io, process::ExitCode};

use clap::error::{ContextKind, ContextValue};
use serde::Serialize;

use clawpool_core::config::ConfigErrors;
use clawpool_engine::client::{ClientError, view::ErrorView};
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
    /// What a server said, with its own code. None: `message` is of this program's own.
    view: Option<Box<ErrorView>>,
    /// Every mistake of a configuration.
    faults: Option<ConfigErrors>,
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

/// The shape of a failure with `--json`, on one line of standard error: as the HTTP API says it.
#[derive(Serialize)]
struct Told<'a> {
    error: ToldError<'a>,
}

#[derive(Serialize)]
struct ToldError<'a> {
    #[serde(flatten)]
    view: &'a ErrorView,
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<&'a ConfigErrors>,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Display) -> Self {
        Self { exit, message: message.to_string(), view: None, faults: None }
    }

    /// The configuration has these mistakes.
    pub fn configuration(faults: ConfigErrors) -> Self {
        Self { faults: Some(faults.clone()), ..Self::new(Exit::Configuration, faults) }
    }

    /// As clap says it of arguments that it cannot read.
    pub(super) fn unread(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        let failure = Self::usage(text.trim_end().strip_prefix("error: ").unwrap_or(&text));
        let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else { return failure };
        let field = argument.split_whitespace().next().map(str::to_owned);
        let view = ErrorView { field, ..failure.view() };
        Self { view: Some(Box::new(view)), ..failure }
    }

    pub fn failed(message: impl Display) -> Self {
        Self::new(Exit::Failed, message)
    }

    pub fn usage(message: impl Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    #[must_use]
    pub(super) fn with_exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// The answer is no, and standard output says so.
    pub fn negative() -> Self {
        Self::new(Exit::Failed, "")
    }

    /// More of what happened, after what is said already.
    pub(super) fn add(&mut self, text: &str) {
        let view = self.view.as_mut().map(|view| &mut view.message);
        for message in std::iter::once(&mut self.message).chain(view) {
            message.push('\n');
            message.push_str(text);
        }
    }

    pub(super) fn report(self, json: bool) -> ExitCode {
        let exit = ExitCode::from(self.exit as u8);
        if self.message.is_empty() {
            return exit;
        }
        let told = ToldError { view: &self.view(), faults: self.faults.as_ref() };
        match serde_json::to_string(&Told { error: told }) {
            Ok(line) if json => eprint_line(&line),
            _ => eprint_line(&self.message),
        }
        exit
    }

    /// With a code in any case.
    fn view(&self) -> ErrorView {
        if let Some(view) = &self.view {
            return ErrorView::clone(view);
        }
        let code = match self.exit {
            Exit::Usage => "CP-1801",
            Exit::Unreachable => "CP-1802",
            Exit::Busy => "CP-1803",
            Exit::Closed | Exit::Failed => "CP-1804",
            Exit::Configuration => "CP-1806",
        };
        ErrorView::new(code, self.message.clone())
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
        let text = error.to_string();
        match error {
            ClientError::Address { url, reason } => {
                Self::usage(format_args!("--url {url:?}: {reason}; write http://HOST:PORT"))
            }
            ClientError::Unreachable { .. } => Self::new(
                Exit::Unreachable,
                format_args!(
                    "{text}: start one with `clawpool up`, or name another with --url or CLAWPOOL_URL"
                ),
            ),
            ClientError::Busy { view, .. } => Self { view: Some(view), ..Self::new(Exit::Busy, text) },
            ClientError::Refused { view, .. } => Self { view: Some(view), ..Self::failed(text) },
            ClientError::Unreadable { .. } => {
                let view = ErrorView::new("CP-1805", text.clone());
                Self { view: Some(Box::new(view)), ..Self::failed(text) }
            }
            ClientError::Setup(_) => Self::failed(text),
        }
    }
}

/// Whether these arguments ask for JSON, also where they cannot be read.
pub fn asks_for_json(arguments: impl IntoIterator<Item = OsString>) -> bool {
    arguments.into_iter().take_while(|argument| argument != "--").any(|argument| argument == "--json")
}

/// How a program ends whose arguments cannot be read, or that was asked for its help or its version.
pub fn end_unread(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && asks_for_json(std::env::args_os()) {
        return Failure::unread(error).report(true);
    }
    // It knows whether colours are wanted.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Failed as u8))
}

/// Shows what others wrote and does not obey it. Standard error may be closed as well, and then nothing can
/// be said.
pub(super) fn eprint_line(text: &str) {
    use io::Write;
    let _ = writeln!(io::stderr(), "{}", Keep::Lines.visible(text));
}
