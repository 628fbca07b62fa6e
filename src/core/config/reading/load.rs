//! The sources in their order, and what becomes of them: a configuration, or every fault in them.

use std::path::{Path, PathBuf};

use toml::Value;

use super::{
    ConfigErrors, Key, Origins, Report, assignment::ENVIRONMENT, read::read, secret, shape::Shape,
    source::Sources, table::merge, unknown::refuse_unknown,
};
use crate::config::{Config, Rule};

/// What became of the sources, and which files hold the secrets in them.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration, or every mistake.
    pub config: Result<Config, ConfigErrors>,
    /// One for each secret that a file holds, as far as the sources could be read.
    pub secrets: Vec<SecretFile>,
    /// Where each value comes from.
    pub origins: Origins,
}

/// A file that others must not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile {
    /// The setting whose secret it holds: `redis.url`.
    pub key: String,
    /// What a reference names, or the configuration file itself.
    pub file: PathBuf,
}

impl Config {
    /// The defaults, overridden by the file, by `CLAWPOOL__SECTION__KEY` variables and by `section.key=value`
    /// overrides, in this order; or every mistake in them (INV-9). Sections merge with the defaults key by
    /// key at every level; a list replaces the default list, but for the rules, which come before the shipped
    /// ones.
    pub fn load(path: Option<&Path>, overrides: &[String]) -> Result<Self, ConfigErrors> {
        Self::load_with_files(path, overrides).config
    }

    /// The same, and the files that hold its secrets.
    pub fn load_with_files(path: Option<&Path>, overrides: &[String]) -> Loaded {
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let mut report = Report::default();
        let file = |sources: &mut Sources<'_>| path.into_iter().for_each(|path| sources.file(path));
        let config = Self::read_from(file, &environment, overrides, &mut report);
        let secrets = std::mem::take(&mut report.secrets);
        let origins = Origins::new(std::mem::take(&mut report.origins));
        Loaded { config: report.finish().map(|()| config), secrets, origins }
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(in crate::config) fn load_from(
        file: impl FnOnce(&mut Sources<'_>),
        environment: &[(String, String)],
        overrides: &[String],
    ) -> Result<Self, ConfigErrors> {
        let mut report = Report::default();
        let config = Self::read_from(file, environment, overrides, &mut report);
        report.finish().map(|()| config)
    }

    /// A configuration that counts only when the report is empty.
    fn read_from(
        file: impl FnOnce(&mut Sources<'_>),
        environment: &[(String, String)],
        overrides: &[String],
        report: &mut Report,
    ) -> Self {
        let schema = Self::schema();
        let shape = Shape::new(&schema);
        let defaults = defaults();
        let mut merged = defaults.clone();
        merged.insert("rules".into(), Value::Array(Vec::new()));
        let mut sources = Sources { merged, shape, report: &mut *report };
        file(&mut sources);
        for (name, value) in environment.iter().filter(|(name, _)| name.starts_with(ENVIRONMENT)) {
            sources.variable(name, value);
        }
        for text in overrides {
            sources.flag(text);
        }
        for (name, _) in environment.iter().filter(|(name, _)| !name.starts_with(ENVIRONMENT)) {
            sources.near_miss(name);
        }
        let mut merged = Value::Table(sources.merged);
        refuse_unknown(&mut merged, shape, &Key::default(), report);
        let Value::Table(mut merged) = merged else { return Self::default() };
        complete_pools(&mut merged);
        let config = read(merged, &defaults, shape, report);
        let config = config.map(|mut config| {
            let find = |name: &str| {
                environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
            };
            secret::resolve(&mut config, &find, report);
            if !config.classes.replace_rules {
                config.rules = Rule::with_shipped(config.rules);
            }
            config.check_sections(report);
            config
        });
        // Without a report every value was read.
        config.unwrap_or_default()
    }

    /// The whole configuration as a file, secrets hidden.
    pub fn to_toml(&self) -> String {
        // Fails only for values that TOML lacks, and `validate` lets none of them in.
        toml::to_string(self)
            .unwrap_or_else(|error| format!("# this configuration cannot be written: {error}\n"))
    }

    /// The JSON schema of the configuration file.
    pub fn schema() -> serde_json::Value {
        let mut schema = schemars::schema_for!(Self).to_value();
        // A file may set single keys of these: the loader fills in the rest.
        for partial in ["Class", "RetryPolicy"] {
            if let Some(class) = schema["$defs"][partial].as_object_mut() {
                class.remove("required");
            }
        }
        schema
    }
}

/// A pool sets single keys of [autoscale]: the section fills in the rest.
fn complete_pools(merged: &mut toml::Table) {
    let Some(section) = merged.get("autoscale").and_then(Value::as_table).cloned() else { return };
    let pools = merged.get_mut("pools").and_then(Value::as_array_mut);
    for pool in pools.into_iter().flatten().filter_map(|pool| pool.get_mut("autoscale")?.as_table_mut()) {
        let own = std::mem::replace(pool, section.clone());
        merge(pool, own);
    }
}

/// The defaults as a table. Addresses are left out, since they print without their passwords; serde fills
/// them in.
fn defaults() -> toml::Table {
    let mut table = toml::Table::try_from(Config::default()).unwrap_or_default();
    for server in ["redis", "rabbitmq"] {
        if let Some(Value::Table(section)) = table.get_mut(server) {
            section.remove("url");
        }
    }
    table
}
