use std::{env, io, process::Stdio};

use tokio::process::Command;

use clawpool_core::{
    config,
    task::{ErrorClass, Failure, Timestamp},
};
use clawpool_engine::{
    process::{Mark, OWNER_ENV, owner, restrict_environment},
    worker::Context,
};

const TASK_ENV: &str = "CLAWPOOL_TASK_ID";
const ATTEMPT_ENV: &str = "CLAWPOOL_ATTEMPT";

/// What every process of this attempt carries.
pub(super) fn marks(context: &Context) -> Vec<Mark> {
    vec![
        Mark::owner(owner()),
        Mark::new(TASK_ENV, &context.task.id.to_string()),
        Mark::new(ATTEMPT_ENV, &context.attempt().to_string()),
    ]
}

pub(super) fn build(spec: &config::Exec, context: &Context, deadline: Timestamp) -> Command {
    let (program, args) =
        spec.command.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let mut command = Command::new(program);
    restrict_environment(&mut command);
    command.args(args);
    command.envs(spec.pass_env.iter().filter_map(|name| Some((name, env::var_os(name)?))));
    command.envs(&spec.env);
    command.env(TASK_ENV, context.task.id.to_string());
    command.env(ATTEMPT_ENV, context.attempt().to_string());
    command.env("CLAWPOOL_DEADLINE", deadline.to_string());
    let trace =
        [("TRACEPARENT", context.traceparent()), ("TRACESTATE", context.tracestate().map(Into::into))];
    command.envs(trace.into_iter().filter_map(|(name, value)| Some((name, value?))));
    // By this the guard and the supervisor find the program when the worker is killed.
    command.env(OWNER_ENV, owner());
    if let Some(dir) = &spec.dir {
        command.current_dir(dir);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Why the program did not start. A missing or unusable program stays so until the configuration is
/// corrected; whatever else there was (a machine short of processes or memory, a process that could not be
/// bound to its tree) is not its fault and may be better the next time.
pub(super) fn refused(spec: &config::Exec, error: &io::Error) -> Failure {
    let program = spec.command.first().map(String::as_str).unwrap_or_default();
    let place = spec.dir.as_ref().map(|dir| format!(" in {}", dir.display())).unwrap_or_default();
    let class = class(error);
    Failure::new(class, format!("cannot start {program:?}{place}: {error}; check exec.command and exec.dir"))
}

fn class(error: &io::Error) -> ErrorClass {
    match error.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::ArgumentListTooLong => ErrorClass::Configuration,
        // Windows says so too of a program that a scanner or an installer holds at the moment.
        io::ErrorKind::PermissionDenied if cfg!(windows) => ErrorClass::FileSystem,
        io::ErrorKind::PermissionDenied => ErrorClass::Configuration,
        // The file is still being written.
        io::ErrorKind::ExecutableFileBusy => ErrorClass::FileSystem,
        _ if error.raw_os_error().is_some_and(is_no_program) => ErrorClass::Configuration,
        _ => ErrorClass::Resource,
    }
}

/// ENOEXEC; of Windows not an executable, one of another machine, one that only administrators start. None
/// has a kind.
const fn is_no_program(code: i32) -> bool {
    if cfg!(windows) { matches!(code, 193 | 216 | 740) } else { code == 8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_setting_can_mend_is_never_tried_again() {
        let codes: &[(i32, ErrorClass)] = if cfg!(windows) {
            &[
                (2, ErrorClass::Configuration),
                (193, ErrorClass::Configuration),
                (5, ErrorClass::FileSystem),
                (8, ErrorClass::Resource),
                (231, ErrorClass::Resource),
                (1450, ErrorClass::Resource),
            ]
        } else {
            &[
                (2, ErrorClass::Configuration),
                (8, ErrorClass::Configuration),
                (13, ErrorClass::Configuration),
                (11, ErrorClass::Resource),
                (12, ErrorClass::Resource),
                (24, ErrorClass::Resource),
                (26, ErrorClass::FileSystem),
            ]
        };
        for (code, expected) in codes {
            let error = io::Error::from_raw_os_error(*code);
            assert_eq!(class(&error), *expected, "{code}: {error}");
        }
        assert_eq!(class(&io::Error::other("not bound to its tree")), ErrorClass::Resource);
    }
}
