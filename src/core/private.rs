//! Files and folders that only their owner may read, whatever the umask: they hold payloads, results and
//! addresses.
//!
//! Guarantees: what is made here is its owner's alone from the first moment. Never does: change a folder that
//! another program else has made, or a file's rights that were widened on purpose. On Windows new files
//! inherit the rights of their folder, which `clawpool service install` closes.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io,
    path::Path,
};

/// Makes a folder, and those above it, where they are missing.
pub fn folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens a file to append to, and makes it where it is missing.
pub fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_made_is_its_owners_alone_and_what_was_there_is_left() {
        let root = tempfile::tempdir().unwrap();
        let folder_made = root.path().join("a/b");
        let file = root.path().join("a/b/log");
        folder(&folder_made).unwrap();
        append(&file).unwrap();
        assert_eq!((mode(&folder_made), mode(&root.path().join("a")), mode(&file)), (0o700, 0o700, 0o600));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        append(&file).unwrap();
        assert_eq!(mode(&file), 0o640);
    }
}
