//! What a figure was measured on.

use std::process::Command;

use serde::Serialize;
use sysinfo::System;

use crate::site::Site;

#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory_gib: u64,
    pub system: String,
    pub redis: String,
    pub rabbitmq: String,
    pub sqlite: String,
    pub clawpool: String,
    pub commit: String,
    pub command: String,
}

impl Machine {
    pub async fn look(site: &Site) -> Self {
        let (cpu, cores, memory) = hardware();
        let (redis, rabbitmq) = site.servers.versions().await;
        Self {
            cpu,
            cores,
            memory_gib: memory >> 30,
            system: System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.into()),
            redis,
            rabbitmq,
            sqlite: rusqlite::version().into(),
            clawpool: env!("CARGO_PKG_VERSION").into(),
            commit: commit(),
            command: command(),
        }
    }
}

fn hardware() -> (String, usize, u64) {
    let Ok(mut system) = System::new() else { return ("unknown".into(), 0, 0) };
    system.refresh_cpu_all();
    system.refresh_memory();
    let cpu = system.cpus().first().map_or_else(|| "unknown".into(), |cpu| cpu.brand().trim().to_owned());
    (cpu, std::thread::available_parallelism().map_or(0, usize::from), system.total_memory())
}

/// The commit that was measured, with a plus when the sources differ from it.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").arg("-C").arg(env!("CARGO_MANIFEST_DIR")).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".into());
    let changed =
        git(&["status", "--porcelain", "--", "../src", "src"]).is_some_and(|changes| !changes.is_empty());
    if changed { commit + "+" } else { commit }
}

fn command() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo run --release -p clawpool-load -- {}", arguments.join(" "))
}
