//! Free space where this configuration writes.

use std::path::{Path, PathBuf};

use bytesize::ByteSize;

use super::{Site, aside::aside, finding::Finding};
use clawpool_backends::backend::sqlite::inspect;
use clawpool_core::config::{Config, Profile};

/// With less, the pool is about to stop.
const LITTLE: u64 = 64 << 20;
/// With less, it is time to look after it.
const SCARCE: u64 = 1 << 30;

pub(super) async fn check(site: &Site) -> Vec<Finding> {
    let config = match site.config() {
        Ok(config) => config,
        Err(skipped) => return vec![skipped],
    };
    let places = places(config);
    if places.is_empty() {
        return vec![Finding::skipped("this configuration writes no files")];
    }
    let looked = aside(move || places.iter().map(|(path, what)| look(path, what)).collect::<Vec<_>>()).await;
    looked.unwrap_or_else(|| vec![Finding::skipped("this system has no thread to look with")])
}

/// What is written, and where.
fn places(config: &Config) -> Vec<(PathBuf, &'static str)> {
    let data = (config.profile == Profile::Embedded).then(|| (inspect::path(config), "the data"));
    let log = config.log.file.clone().map(|file| (file, "the log"));
    data.into_iter().chain(log).collect()
}

fn look(path: &Path, what: &str) -> Finding {
    match Volume::of(path) {
        Some(volume) => judge(path, what, volume.free),
        None => Finding::skipped(format!("this system does not say what is free for {}", path.display())),
    }
}

fn judge(path: &Path, what: &str, free: u64) -> Finding {
    let text = format!("{} is free for {what} ({})", ByteSize::b(free), path.display());
    let fix = "free some, or move it to a larger disk; when it is full, no task is taken";
    match free {
        ..LITTLE => Finding::error(text, fix),
        LITTLE..SCARCE => Finding::warning(text, fix),
        _ => Finding::ok(text),
    }
}

/// Where a file lies, or will.
pub(super) struct Volume {
    /// Bytes that this user may still write.
    pub(super) free: u64,
    /// The kind of filesystem, when it is one of another machine.
    pub(super) network: Option<String>,
}

/// The folder of a file, or the nearest one above it that is there.
pub(super) fn existing(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.ancestors().skip(1).find(|folder| folder.is_dir()).map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

#[cfg(unix)]
impl Volume {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let folder = existing(path);
        let system = rustix::fs::statvfs(&folder).ok()?;
        Some(Self { free: system.f_bavail.saturating_mul(system.f_frsize), network: network(&folder) })
    }
}

#[cfg(target_os = "linux")]
fn network(folder: &Path) -> Option<String> {
    /// As Linux numbers them; sshfs and others of its kind are FUSE.
    const KINDS: [(u64, &str); 9] = [
        (0x6969, "nfs"),
        (0x517b, "smb"),
        (0xff53_4d42, "cifs"),
        (0xfe53_4d42, "smb2"),
        (0x5346_414f, "afs"),
        (0x00c3_6400, "ceph"),
        (0x0bd0_0bd0, "lustre"),
        (0x0102_1997, "9p"),
        (0x7461_636f, "ocfs2"),
    ];
    let kind = u64::try_from(rustix::fs::statfs(folder).ok()?.f_type).ok()? & 0xffff_ffff;
    KINDS.iter().find(|(number, _)| *number == kind).map(|(_, name)| (*name).to_owned())
}

/// Not told from outside.
#[cfg(all(unix, not(target_os = "linux")))]
fn network(_: &Path) -> Option<String> {
    None
}

#[cfg(windows)]
impl Volume {
    pub(super) fn of(path: &Path) -> Option<Self> {
        use std::path::{Component, Prefix};

        let folder = existing(path);
        let is_share = |part: Component<'_>| match part {
            Component::Prefix(prefix) => {
                matches!(prefix.kind(), Prefix::UNC(..) | Prefix::VerbatimUNC(..))
            }
            _ => false,
        };
        let network = folder.components().any(is_share).then(|| "a Windows share".to_owned());
        let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
        let holding = disks.iter().filter(|disk| folder.starts_with(disk.mount_point()));
        let nearest = holding.max_by_key(|disk| disk.mount_point().as_os_str().len())?;
        Some(Self { free: nearest.available_space(), network })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn a_disk_that_is_nearly_full_is_found() {
        for (free, status) in [(0, Status::Error), (100 << 20, Status::Warning), (1 << 40, Status::Ok)] {
            assert_eq!(judge(Path::new("a.db"), "the data", free).status, status);
        }
    }

    #[test]
    fn a_place_that_is_not_there_yet_is_on_the_disk_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/clawpool.db");
        assert_eq!(existing(&path), folder.path());
        assert!(Volume::of(&path).is_some_and(|volume| volume.free > 0));
    }
}
