use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Plan, ServiceError};

/// The service's own folder.
pub(super) struct Folder {
    path: PathBuf,
}

/// Their names differ from language to language; their numbers do not.
const SYSTEM: &str = "*S-1-5-18:(OI)(CI)F";
const ADMINISTRATORS: &str = "*S-1-5-32-544:(OI)(CI)F";

impl Folder {
    pub(super) fn of(name: &str) -> Self {
        let root = std::env::var_os("ProgramData").unwrap_or_else(|| r"C:\ProgramData".into());
        Self { path: Path::new(&root).join("Clawpool").join(name) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn config(&self) -> PathBuf {
        self.path.join("clawpool.toml")
    }

    /// Makes what is missing. Data and a configuration of an earlier installation stay, unless a new one is
    /// given.
    pub(super) fn prepare(&self, plan: &Plan) -> Result<(), ServiceError> {
        let fault =
            |what: &str, error| ServiceError::from_io(format!("{what} {}", self.path.display()), error);
        let logs = self.path.join("logs");
        fs::create_dir_all(&logs).map_err(|error| fault("make the folder", error))?;
        self.write_config(plan).map_err(|error| fault("write the configuration into", error))?;
        let reader = format!("NT SERVICE\\{}:(OI)(CI)RX", plan.name);
        let writer = format!("NT SERVICE\\{}:(OI)(CI)M", plan.name);
        icacls(&self.path, &["/inheritance:r", "/grant:r", SYSTEM, ADMINISTRATORS, &reader])?;
        icacls(&logs, &["/grant:r", &writer])?;
        if let Some(data) = &plan.data {
            let data = self.path.join(data);
            fs::create_dir_all(&data).map_err(|error| fault("make the data folder of", error))?;
            icacls(&data, &["/grant:r", &writer])?;
        }
        Ok(())
    }

    fn write_config(&self, plan: &Plan) -> io::Result<()> {
        match &plan.config {
            Some(file) if *file == self.config() => Ok(()),
            Some(file) => fs::copy(file, self.config()).map(drop),
            None if self.config().exists() => Ok(()),
            None => fs::write(self.config(), include_str!("../../../../config/default.toml")),
        }
    }

    pub(super) fn exists(&self) -> bool {
        self.path.exists()
    }

    /// For an installation that made the folder and failed.
    pub(super) fn remove(&self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Sets rights with the system's own tool.
fn icacls(path: &Path, args: &[&str]) -> Result<(), ServiceError> {
    let root = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
    let tool = Path::new(&root).join("System32").join("icacls.exe");
    let said = Command::new(&tool).arg(path).args(args).arg("/q").output();
    let said = said.map_err(|error| ServiceError::from_io(format!("run {}", tool.display()), error))?;
    if said.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&said.stderr).trim().to_owned();
    Err(ServiceError::Manager { what: format!("the rights of {} cannot be set", path.display()), reason })
}
