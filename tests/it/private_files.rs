//! Files are their owner's alone, whatever the umask.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use crate::support::{Process, Settings, until};

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        }
        found.push(path);
    }
}

#[tokio::test]
async fn data_and_logs_are_their_owners_alone_whatever_the_umask() {
    for umask in ["000", "022"] {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("pool/data");
        let log = root.path().join("logs/pool.log");
        let text = |path: &Path| toml::Value::from(path.display().to_string());
        let settings = Settings::quick().with(&format!(
            "embedded.data = {}\nlog.file = {}\nlog.rotate = \"daily\"",
            text(&data),
            text(&log)
        ));
        let mut command = Command::new("sh");
        command.env("CLAWPOOL_CONFIG", settings.write(root.path()));
        let script = format!("umask {umask}; exec \"$0\" up --workers=1");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_clawpool")]);
        let mut up = Process::start("clawpool up", command);
        until("the logs", async || {
            let logs = fs::read_dir(log.parent().unwrap()).ok()?;
            logs.flatten()
                .any(|file| {
                    fs::read_to_string(file.path()).unwrap_or_default().contains("the worker is ready")
                })
                .then_some(())
        })
        .await;
        let mut paths = vec![root.path().join("pool"), root.path().join("logs")];
        walk(&root.path().join("pool"), &mut paths);
        walk(&root.path().join("logs"), &mut paths);
        assert!(paths.iter().any(|path| path.ends_with("clawpool.db-wal")), "{paths:?}");
        for path in paths {
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, expected, "{} with umask {umask}", path.display());
        }
        up.stop().await;
    }
}
