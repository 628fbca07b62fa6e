use std::{env, io, process::Stdio};

use tokio::process::Command;

use crate::{
    config,
    supervise::{OWNER_ENV, WORKER_ENV},
    task::{ErrorClass, Failure, Timestamp},
    worker::Context,
};

/// What programs need to find others, their user's files and a place for temporary ones. Everything else must be named in
/// the configuration (INV-10).
const BASE: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    // Windows programs do not start without these.
    "TEMP",
    "TMP",
    "SystemRoot",
    "SystemDrive",
    "windir",
    "ComSpec",
    "PATHEXT",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
];

pub(super) fn build(spec: &config::Exec, context: &Context, deadline: Timestamp) -> Command {
    let (program, args) = spec.command.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let mut command = Command::new(program);
    command.args(args).env_clear();
    let inherited = BASE.iter().copied().chain(spec.pass_env.iter().map(String::as_str));
    command.envs(inherited.filter_map(|name| Some((name, env::var_os(name)?))));
    command.envs(&spec.env);
    command.env("CLAWPOOL_TASK_ID", context.task.id.to_string());
    command.env("CLAWPOOL_ATTEMPT", context.attempt().to_string());
    command.env("CLAWPOOL_DEADLINE", deadline.to_string());
    if let Some(worker) = env::var_os(WORKER_ENV) {
        // By this the supervisor finds the program when the worker is killed.
        command.env(OWNER_ENV, worker);
    }
    if let Some(dir) = &spec.dir {
        command.current_dir(dir);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Why the program did not start. A missing or unusable program stays so until somebody mends the configuration; a machine
/// short of processes or memory recovers.
pub(super) fn refused(spec: &config::Exec, error: &io::Error) -> Failure {
    let program = spec.command.first().map(String::as_str).unwrap_or_default();
    let place = spec.dir.as_ref().map(|dir| format!(" in {}", dir.display())).unwrap_or_default();
    let class = match error.kind() {
        // Other: the process stood, and could not be bound to its tree. That is nobody's setting.
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory | io::ErrorKind::Other => ErrorClass::Resource,
        // Somebody is still writing it.
        io::ErrorKind::ExecutableFileBusy => ErrorClass::FileSystem,
        _ if error.raw_os_error().is_some_and(out_of_handles) => ErrorClass::Resource,
        _ => ErrorClass::Configuration,
    };
    Failure::new(class, format!("cannot start {program:?}{place}: {error}; check exec.command and exec.dir"))
}

/// ENFILE and EMFILE have no kind of their own.
const fn out_of_handles(code: i32) -> bool {
    cfg!(unix) && matches!(code, 23 | 24)
}
