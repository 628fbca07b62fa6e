//! Looks by running a program.

use std::{process::Stdio, time::Duration};

use tokio::process::Command;

use clawpool_core::config::Probe;
use clawpool_engine::process::{OWNER_ENV, Tree, describe, owner, restrict_environment, watch};

/// Well when the program ends with code 0. Its whole tree is gone when this future is, and after `lease` when
/// this process is killed.
pub(super) async fn run(probe: &Probe, lease: Duration) -> Result<(), String> {
    let Some((program, args)) = probe.command.split_first() else {
        return Err("it names no program".to_owned());
    };
    let mut command = Command::new(program);
    restrict_environment(&mut command);
    command.args(args).envs(&probe.env).env(OWNER_ENV, owner());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _watch = watch(lease);
    let mut tree = Tree::spawn(command).map_err(|error| format!("cannot start {program:?}: {error}"))?;
    let status = tree.wait().await.map_err(|error| format!("{program:?} was lost: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program:?} ended with {}", describe(status))) }
}
