use std::env;

use tokio::process::Command;

/// What programs need to find others, their user's files and a place for temporary ones. Everything else must
/// be named in the configuration (INV-10).
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

/// A program gets nothing of this process's environment but what every program needs.
pub fn restrict_environment(command: &mut Command) {
    command.env_clear();
    command.envs(BASE.iter().filter_map(|name| Some((name, env::var_os(name)?))));
}
