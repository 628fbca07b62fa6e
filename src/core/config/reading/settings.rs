//! The configuration as a list of settings, each with where its value comes from.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::Key;
use crate::config::Config;

/// Where the values of a configuration come from; what is not here is a default.
#[derive(Clone, Debug, Default)]
pub struct Origins(BTreeMap<Key, String>);

impl Origins {
    pub(super) const fn new(origins: BTreeMap<Key, String>) -> Self {
        Self(origins)
    }

    /// Of this very value: a default beside what somebody wrote into the same table is a default.
    fn of(&self, key: &Key) -> Option<String> {
        self.0.get(key).cloned()
    }
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Dotted: `limits.batch`, `pools[0].max`.
    pub key: String,
    /// As TOML has it, secrets hidden.
    pub value: String,
    /// The line of a file, a variable, a flag. None: the default.
    pub origin: Option<String>,
}

impl Config {
    /// Every value as it holds, secrets hidden.
    pub fn settings(&self, origins: &Origins) -> Vec<Setting> {
        let mut settings = Vec::new();
        let table = Table::try_from(self).unwrap_or_default();
        add(&Key::default(), &Value::Table(table), origins, &mut settings);
        settings
    }
}

fn add(key: &Key, value: &Value, origins: &Origins, settings: &mut Vec<Setting>) {
    match value {
        Value::Table(table) if !table.is_empty() => {
            for (name, value) in table {
                add(&key.name(name), value, origins, settings);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_table) => {
            for (index, value) in items.iter().enumerate() {
                add(&key.index(index), value, origins, settings);
            }
        }
        value => {
            let (key, origin) = (key.to_string(), origins.of(key));
            settings.push(Setting { key, value: value.to_string(), origin });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn each_value_says_where_it_comes_from_and_no_secret_is_told() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let text = "[limits]\nbatch = 10\n[[api.tokens]]\nname = \"ada\"\n\
            secret = \"sixteen-letters-or-more\"\nscopes = [\"read\"]\n";
        file.write_all(text.as_bytes()).unwrap();
        let loaded = Config::load_with_files(Some(file.path()), &["worker.slots=7".to_owned()]);
        let settings = loaded.config.unwrap().settings(&loaded.origins);
        let find = |key: &str| settings.iter().find(|setting| setting.key == key).unwrap();
        let path = file.path().display();
        assert_eq!(find("limits.batch").origin, Some(format!("{path}:2")));
        assert_eq!(find("limits.batch").value, "10");
        assert_eq!(find("api.tokens[0].name").origin, Some(format!("{path}:4")));
        assert_eq!(find("worker.slots").origin.as_deref(), Some("--set worker.slots"));
        assert_eq!(find("api.read_only").origin, None);
        assert!(settings.iter().all(|setting| !setting.value.contains("sixteen")), "{settings:?}");
        assert!(settings.len() > 100, "{}", settings.len());
    }
}
