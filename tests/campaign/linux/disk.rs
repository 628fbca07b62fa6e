//! A disk of its own that can be full.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

const SIZE: &str = "size=96m";

/// A small file system in memory. Unmounted at the end.
pub struct Disk {
    pub path: PathBuf,
}

impl Disk {
    pub fn mount(folder: &Path) -> Self {
        let path = folder.join("disk");
        std::fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "clawpool-campaign"]).arg(&path);
        assert!(
            mount.status().is_ok_and(|status| status.success()),
            "full disks need a file system of their own, and only root may mount one: run \
             `sudo tests/campaign/run …`, or `unshare --user --map-root-user --mount tests/campaign/run …`"
        );
        Self { path }
    }

    /// Until not a byte is left.
    pub fn fill(&self) {
        let mut file = File::create(self.path.join("ballast")).unwrap();
        let mut size = 1 << 20;
        while size > 0 {
            if file.write_all(&vec![0; size]).is_err() {
                size /= 2;
            }
        }
    }

    pub fn relieve(&self) {
        let _ = std::fs::remove_file(self.path.join("ballast"));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}
