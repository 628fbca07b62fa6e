//! Who can read the files that hold secrets, payloads and results.

use std::path::Path;

use super::{Site, aside::aside, finding::Finding};
use clawpool_backends::backend::sqlite::inspect;
use clawpool_core::config::Profile;

/// A file, and what is in it.
struct Kept {
    path: std::path::PathBuf,
    what: String,
}

pub(super) async fn check(site: &Site) -> Vec<Finding> {
    let kept = kept(site);
    let looked =
        aside(move || kept.iter().filter_map(|kept| look(&kept.path, &kept.what)).collect::<Vec<_>>());
    match looked.await {
        Some(findings) if findings.is_empty() => vec![Finding::ok("nobody else can read what is secret")],
        Some(findings) => findings,
        None => vec![Finding::skipped("this system has no thread to look with")],
    }
}

/// Each file once, whatever it holds.
fn kept(site: &Site) -> Vec<Kept> {
    let mut all: Vec<Kept> = Vec::new();
    for secret in &site.loaded.secrets {
        match all.iter_mut().find(|kept| kept.path == secret.file) {
            Some(kept) => kept.what.push_str(&format!(", {}", secret.key)),
            None => all.push(Kept { path: secret.file.clone(), what: secret.key.clone() }),
        }
    }
    if let Ok(config) = &site.loaded.config
        && config.profile == Profile::Embedded
    {
        all.push(Kept { path: inspect::path(config), what: "payloads and results".into() });
    }
    if let Some(file) = &site.file
        && !all.iter().any(|kept| kept.path == *file)
    {
        all.push(Kept { path: file.clone(), what: String::new() });
    }
    all
}

#[cfg(unix)]
fn look(path: &Path, what: &str) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;

    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    judge(&path.display().to_string(), what, mode)
}

/// Windows' files have the rights of their folder, which `clawpool service install` closes.
#[cfg(not(unix))]
fn look(_: &Path, _: &str) -> Option<Finding> {
    None
}

#[cfg(unix)]
fn judge(path: &str, what: &str, mode: u32) -> Option<Finding> {
    const WRITE: u32 = 0o002;
    const READ: u32 = 0o004;
    if mode & WRITE != 0 {
        let text = format!("everybody on this machine can change {path}");
        return Some(Finding::error(text, format!("chmod o-w {path}")));
    }
    if mode & READ != 0 && !what.is_empty() {
        let text = format!("everybody on this machine can read {path}, which holds {what}");
        return Some(Finding::warning(
            text,
            format!("chmod o-r {path}, and let the user of the service own it"),
        ));
    }
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn what_others_may_change_is_an_error_and_what_they_may_read_a_warning() {
        for (mode, what, status) in [
            (0o600, "redis.url", None),
            (0o640, "redis.url", None),
            (0o644, "redis.url", Some(Status::Warning)),
            (0o646, "redis.url", Some(Status::Error)),
            (0o644, "", None),
            (0o666, "", Some(Status::Error)),
        ] {
            assert_eq!(judge("pool.toml", what, mode).map(|finding| finding.status), status, "{mode:o}");
        }
    }
}
