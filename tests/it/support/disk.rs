//! A small disk that can be full, as any user may have one: a file system in a namespace of the program under
//! test.

use std::{
    path::Path,
    process::{Command as Plain, Stdio},
};

use tokio::process::Command;

use super::{System, clawpool};

const ROOT: [&str; 3] = ["--user", "--map-root-user", "--mount"];

/// Mounts it where the data goes, heeds the valve beside it, and becomes the program.
const SCRIPT: &str = r#"
    folder=$1; shift
    mkdir "$folder/data" && mount -t tmpfs -o size=24m,mode=0700 clawpool "$folder/data" || exit 77
    while read -r word <"$folder/valve"; do
        case $word in
            fill) cat /dev/zero >"$folder/data/ballast" 2>/dev/null; echo "the disk is full" ;;
            free) rm "$folder/data/ballast"; echo "the disk has room" ;;
        esac
    done &
    exec "$0" "$@"
"#;

/// Whether this system lets its users have file systems of their own.
pub fn can_mount() -> bool {
    let mut tried = Plain::new("unshare");
    tried.args(ROOT).arg("true").stderr(Stdio::null());
    tried.status().is_ok_and(|status| status.success())
}

pub(super) fn on_small_disk(config: &Path) -> Command {
    let folder = config.parent().unwrap();
    assert!(Plain::new("mkfifo").arg(folder.join("valve")).status().unwrap().success());
    let mut command = Command::new("unshare");
    command.args(ROOT).args(["sh", "-c", SCRIPT, env!("CARGO_BIN_EXE_clawpool")]).arg(folder);
    command.envs(clawpool(config).as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

impl System {
    /// Until not a byte is left.
    pub async fn fill_disk(&self) {
        self.turn("fill", "the disk is full").await;
    }

    pub async fn free_disk(&self) {
        self.turn("free", "the disk has room").await;
    }

    async fn turn(&self, word: &'static str, done: &str) {
        tokio::fs::write(self.folder.path().join("valve"), format!("{word}\n")).await.unwrap();
        self.front.line(&[done]).await;
    }
}
