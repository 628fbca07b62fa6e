//! `clawpool service` on Linux. Units go into a folder of the test's own; systemd judges them and is not
//! changed.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::{Command, Output},
};

use tempfile::TempDir;

/// A copy of the program outside of any user's home, and an empty folder for units.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(folder.path().join("units")).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_clawpool"), folder.path().join("clawpool")).unwrap();
        fs::write(folder.path().join("pool.toml"), "[worker]\ngrace = \"7s\"\n").unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn service(&self, action: &str, args: &[&str]) -> Command {
        let mut command = Command::new(self.path("clawpool"));
        command.args(["service", action, "--unit-dir"]).arg(self.path("units")).args(args);
        command
    }

    fn done(&self, action: &str, args: &[&str]) {
        let said = self.service(action, args).output().unwrap();
        assert!(said.status.success(), "{said:?}");
    }

    /// Refused with the code, and no unit is there that was not there before.
    fn refused(&self, action: &str, args: &[&str], exit: i32, code: &str) {
        let before = self.units();
        let said = self.service(action, args).output().unwrap();
        assert_eq!(said.status.code(), Some(exit), "{said:?}");
        assert!(error(&said).contains(code), "no {code} in {said:?}");
        assert_eq!(self.units(), before);
    }

    fn units(&self) -> Vec<(PathBuf, String)> {
        let files = fs::read_dir(self.path("units")).unwrap().map(|entry| entry.unwrap().path());
        files.map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect()
    }
}

fn error(said: &Output) -> String {
    String::from_utf8_lossy(&said.stderr).into_owned()
}

#[test]
fn a_service_is_installed_once_and_removed_once() {
    let machine = Machine::new();
    let config = machine.path("pool.toml");
    let config = config.to_str().unwrap();
    machine
        .done("install", &["--config", config, "--role", "dispatcher", "--", "--listen", "127.0.0.1:7171"]);
    let units = machine.units();
    let [(file, unit)] = &units[..] else { panic!("{units:?}") };
    assert!(file.ends_with("clawpool-dispatcher.service"), "{file:?}");
    assert!(unit.contains(&format!("LoadCredential=clawpool.toml:{config}\n")), "{unit}");
    assert!(unit.contains(" dispatcher --listen 127.0.0.1:7171\n"), "{unit}");
    assert!(
        unit.contains("TimeoutStopSec=22\n"),
        "the configuration's 7 s, 5 s to stop and a margin: {unit}"
    );
    if let Ok(said) = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(file).output() {
        assert!(said.status.success() && !error(&said).contains("clawpool"), "{said:?}");
    }
    machine.refused("install", &["--role", "dispatcher"], 1, "CP-1902");
    machine.done("uninstall", &["--name", "clawpool-dispatcher"]);
    assert!(machine.units().is_empty());
    machine.refused("uninstall", &["--name", "clawpool-dispatcher"], 1, "CP-1903");
}

#[test]
fn what_cannot_work_is_not_installed() {
    let machine = Machine::new();
    machine.refused("install", &["--account", "nobody-of-this-name"], 1, "CP-1904");
    machine.refused("install", &["--set", "worker.slots=0"], 78, "CP-1006");
    machine.refused("install", &["--", "--wrokers", "3"], 2, "--wrokers");
    machine.refused("install", &["--name", "../up"], 2, "letters");
    machine.refused("install", &["--unit-dir-that-is-none"], 2, "unexpected");
    fs::write(machine.path("units/clawpool.service"), "[Service]\nExecStart=/bin/true\n").unwrap();
    machine.refused("install", &[], 1, "CP-1902");
    machine.refused("uninstall", &[], 1, "CP-1905");
}

#[test]
fn printing_installs_nothing() {
    let machine = Machine::new();
    machine.done("install", &["--print"]);
    assert!(machine.units().is_empty());
}

#[test]
fn services_need_administrator_rights() {
    let machine = Machine::new();
    fs::set_permissions(machine.path("units"), fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = machine.service("install", &[]);
    // Root may write anywhere: become another user.
    if fs::write(machine.path("units/probe"), "").is_ok() {
        fs::remove_file(machine.path("units/probe")).unwrap();
        command.uid(65534).gid(65534);
    }
    let said = command.output().unwrap();
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(error(&said).contains("CP-1901") && error(&said).contains("sudo"), "{said:?}");
    assert!(machine.units().is_empty());
}
