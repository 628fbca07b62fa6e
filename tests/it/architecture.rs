//! The rules of ARCHITECTURE.md that the compiler does not know: which folder may use what.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every Rust file below `folder`, with its path from the project's root.
fn files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds no Rust file");
    found
}

/// The uses of any of `words` in `folder` outside of the `allowed` folders; comments and tests do not count.
fn uses(folder: &str, words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in files(folder) {
        let test = name.ends_with("tests.rs") || name.contains("/tests/") || name.contains("/conformance/");
        if test || allowed.iter().any(|allowed| name.starts_with(allowed)) {
            continue;
        }
        let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        let used = code.filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        found.extend(used.map(|(line, text)| format!("{name}:{}: {}", line + 1, text.trim())));
    }
    found
}

#[test]
fn each_servers_client_stays_behind_its_seam() {
    let seams = ["src/broker/", "src/store/"];
    assert_eq!(uses("src", &["lapin::"], &["src/broker/rabbitmq/"]), [""; 0]);
    assert_eq!(uses("src", &["redis::cmd", "deadpool_redis", "use redis::"], &seams), [""; 0]);
    assert_eq!(uses("src", &["rusqlite"], &seams), [""; 0]);
    assert_eq!(uses("src", &["axum::", "use axum", "hyper::", "hyper_util::"], &["src/api/"]), [""; 0]);
}

#[test]
fn what_is_pure_does_no_io() {
    let io = ["tokio::", "std::net", "std::fs", "std::process", "reqwest"];
    for folder in ["src/task", "src/retry"] {
        assert_eq!(uses(folder, &io, &[]), [""; 0]);
    }
}

#[test]
fn lower_layers_do_not_know_the_higher_ones() {
    let above = ["crate::api", "crate::cli", "crate::worker", "crate::dispatch", "crate::supervise"];
    for folder in ["src/task", "src/retry", "src/broker", "src/store", "src/config"] {
        assert_eq!(uses(folder, &above, &[]), [""; 0]);
    }
}

#[test]
fn unix_calls_stay_in_their_modules() {
    let calls = ["std::os::unix", "tokio::signal::unix"];
    let found: Vec<String> = ["src", "workers"].into_iter().flat_map(|folder| uses(folder, &calls, &[])).collect();
    for line in found {
        let file = line.split(':').next().unwrap();
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        assert!(text.contains("cfg(unix)"), "{line} has no cfg(unix)");
    }
}
