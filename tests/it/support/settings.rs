use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// A configuration file in the making.
#[derive(Clone)]
pub struct Settings(Table);

/// Quick where the defaults are patient, so that a test need not be.
const QUICK: &str = r#"
    api.listen = "127.0.0.1:0"
    log.format = "json"
    worker = { slots = 6, reserved = 1, heartbeat = "300ms", lease = "3s", grace = "5s", stop_grace = "2s" }
    pacing = { per_second = 1000.0, burst = 1000 }
    [retry]
    service_unavailable = { retries = 3, first = "50ms", max = "200ms", jitter = true }
    other = { retries = 2, first = "50ms", max = "200ms", jitter = true }
    panic = { retries = 2, first = "50ms", max = "200ms", jitter = true }
    timeout = { retries = 1, first = "50ms", max = "50ms", jitter = false }
"#;

impl Settings {
    pub fn quick() -> Self {
        Self(Table::new()).with(QUICK)
    }

    /// More settings: tables are merged, lists grow, values are replaced.
    #[must_use]
    pub fn with(mut self, toml: &str) -> Self {
        merge(&mut self.0, toml.parse().unwrap_or_else(|error| panic!("{toml}: {error}")));
        self
    }

    /// Tasks of `kind` are done by the web service at `url`.
    #[must_use]
    pub fn http(self, kind: &str, url: &str) -> Self {
        self.with(&format!("[[handlers]]\nkind = {kind:?}\nhttp.url = {url:?}"))
    }

    /// Tasks of `kind` are done by a shell script.
    #[must_use]
    pub fn shell(self, kind: &str, script: &str) -> Self {
        let command = Value::from(vec!["sh", "-c", script]);
        self.with(&format!("[[handlers]]\nkind = {kind:?}\nexec.command = {command}"))
    }

    /// Workers that run `command`, in place of those that `clawpool up` starts by itself.
    #[must_use]
    pub fn workers(self, workers: usize, command: &[&str]) -> Self {
        let command = Value::from(command.to_vec());
        self.with(&format!("[[pools]]\nname = \"it\"\nworkers = {workers}\ncommand = {command}"))
    }

    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("clawpool.toml");
        std::fs::write(&path, self.0.to_string()).unwrap();
        path
    }
}

fn merge(into: &mut Table, more: Table) {
    for (key, value) in more {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(into)), Value::Table(more)) => merge(into, more),
            (Some(Value::Array(into)), Value::Array(more)) => into.extend(more),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}
