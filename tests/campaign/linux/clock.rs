//! The wall clock of a program, to be stepped while it runs. The machine's own is never touched.

use std::{
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// Shared by a program and all that it starts, as the clock of one machine.
pub struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

impl Clock {
    pub fn new(folder: &Path, name: &str) -> Self {
        let offset = folder.join(format!("{name}.clock"));
        std::fs::write(&offset, 0_i64.to_ne_bytes()).unwrap();
        Self { library: library(folder), offset }
    }

    /// In its environment, a program lives by this clock.
    pub fn variables(&self) -> Vec<(OsString, OsString)> {
        vec![
            ("LD_PRELOAD".into(), self.library.clone().into()),
            ("CAMPAIGN_CLOCK".into(), self.offset.clone().into()),
        ]
    }

    /// How far it is from the true time, from now on.
    pub fn step(&self, seconds: i64) {
        // In place: the programs have mapped the file.
        let file = std::fs::OpenOptions::new().write(true).open(&self.offset);
        file.unwrap().write_all(&(seconds * 1_000_000_000).to_ne_bytes()).unwrap();
    }
}

fn library(folder: &Path) -> PathBuf {
    let library = folder.join("clock.so");
    if !library.exists() {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/campaign/clock.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"]).arg(&library).arg(source);
        assert!(
            compiler.status().is_ok_and(|status| status.success()),
            "clock steps need a C compiler: {compiler:?}"
        );
    }
    library
}
