//! The performance counters of the machine's services, registered with the system's own tools.
//!
//! Guarantees: they are registered as long as one service of Clawpool is there; a machine that does not take
//! them loses nothing else. Never does: touch the counters of another program.

use std::{
    ffi::OsString,
    fs, io,
    os::windows::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use windows_registry::LOCAL_MACHINE;

use super::ENTRANCE;
use clawpool_server::telemetry::counters;

const SERVICES: &str = r"SYSTEM\CurrentControlSet\Services";

/// Registers them, with the names that are in this program. Those of an earlier version are replaced, since
/// the system refuses a set that it knows. Returns why it could not be done.
pub(super) fn register(program: &Path) -> Result<(), String> {
    let (folder, file) = program.parent().zip(program.file_name()).ok_or("it lies nowhere")?;
    let scratch = tempfile::tempdir().map_err(|error| format!("no folder for the manifest: {error}"))?;
    let manifest = scratch.path().join("clawpool.man");
    let text = counters::manifest(&file.to_string_lossy());
    fs::write(&manifest, text).map_err(|error| format!("{}: {error}", manifest.display()))?;
    if is_registered() {
        remove()?;
    }
    run("lodctr.exe", &load(&manifest, folder))?;
    if is_registered() { Ok(()) } else { Err("lodctr says that it is done, and it is not".to_owned()) }
}

/// Removes them, unless another service than this one is left to have them.
pub(super) fn unregister_after(name: &str) -> Result<(), String> {
    if is_registered() && !services().any(|service| !service.eq_ignore_ascii_case(name)) {
        remove()?;
    }
    Ok(())
}

fn is_registered() -> bool {
    counters::is_registered() == Some(true)
}

fn remove() -> Result<(), String> {
    run("unlodctr.exe", &format!("/g:{}", counters::provider()).into())
}

/// As Microsoft's documents write it: quotes after the colon. The folder does not end in a backslash, which
/// would take the quote with it.
fn load(manifest: &Path, folder: &Path) -> OsString {
    let mut line = OsString::from("/m:\"");
    line.push(manifest);
    line.push("\" \"");
    line.push(if folder.parent().is_some() { folder.to_owned() } else { folder.join(".") });
    line.push("\"");
    line
}

/// The names of Clawpool's services.
fn services() -> impl Iterator<Item = String> {
    let key = LOCAL_MACHINE.open(SERVICES).ok();
    let names: Vec<String> = key.as_ref().and_then(|key| key.keys().ok()).into_iter().flatten().collect();
    names.into_iter().filter(move |name| {
        let command = key.as_ref().and_then(|key| key.open(name).ok()?.get_string("ImagePath").ok());
        command.is_some_and(|command| command.contains(&ENTRANCE.join(" ")))
    })
}

fn run(tool: &str, line: &OsString) -> Result<(), String> {
    let root = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
    let path = PathBuf::from(root).join("System32").join(tool);
    let said = Command::new(&path).raw_arg(line).output();
    let said = said.map_err(|error: io::Error| format!("{}: {error}", path.display()))?;
    if said.status.success() {
        return Ok(());
    }
    let text = [said.stdout, said.stderr].concat();
    Err(format!("{tool} ends with {}: {}", said.status, String::from_utf8_lossy(&text).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_spaces_stay_whole() {
        let line = load(Path::new(r"C:\a b\c.man"), Path::new(r"C:\Program Files\Clawpool"));
        assert_eq!(line, r#"/m:"C:\a b\c.man" "C:\Program Files\Clawpool""#);
        assert_eq!(load(Path::new(r"C:\c.man"), Path::new(r"D:\")), r#"/m:"C:\c.man" "D:\.""#);
    }
}
