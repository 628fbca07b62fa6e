use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// Tells a supervised worker where it leaves marks of what it polls.
pub const POLLING_ENV: &str = "CLAWPOOL_POLLING";

/// Where the marks of this process go, if it has a supervisor.
pub fn polling_folder() -> Option<&'static Path> {
    static FOLDER: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os(POLLING_ENV).map(PathBuf::from));
    FOLDER.as_deref()
}
