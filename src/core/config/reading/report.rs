//! The faults of a configuration, as they are found.

use std::{collections::BTreeMap, fmt::Display, path::PathBuf};

use super::{ConfigError, ConfigErrors, Key, SecretFile, key::Step};

/// Collects every mistake, each with where its value came from.
#[derive(Default)]
pub(in crate::config) struct Report {
    pub(in crate::config) errors: Vec<ConfigError>,
    pub(in crate::config) origins: BTreeMap<Key, String>,
    /// The configuration file, when there is one.
    pub(in crate::config) file: Option<PathBuf>,
    pub(in crate::config) secrets: Vec<SecretFile>,
    /// Places whose values could not be read: rules about them would complain of the defaults in their place.
    unread: Vec<Key>,
    /// Elements that were taken out of lists, by their positions in the file, so that later ones keep their
    /// numbers.
    removed: BTreeMap<Key, Vec<usize>>,
}

impl Report {
    pub(in crate::config) fn add(
        &mut self,
        code: &'static str,
        key: &Key,
        rule: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(code, key, None, rule.into(), fix.into());
    }

    /// A value that could not be read.
    pub(in crate::config) fn unreadable(
        &mut self,
        code: &'static str,
        key: &Key,
        value: Option<String>,
        rule: String,
        fix: String,
    ) {
        self.push(code, key, value, rule, fix);
        self.unread.push(key.clone());
    }

    pub(in crate::config) fn is_unread(&self, key: &Key) -> bool {
        self.unread.contains(key)
    }

    /// A value that breaks a rule of its own.
    pub(in crate::config) fn refuse(
        &mut self,
        key: &Key,
        value: impl Display,
        rule: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add_broken("CP-1006", &[key], value, rule, fix);
    }

    /// A value that does not go with others; `keys` starts with the one at fault.
    pub(in crate::config) fn conflict(
        &mut self,
        keys: &[&Key],
        value: impl Display,
        rule: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add_broken("CP-1007", keys, value, rule, fix);
    }

    /// Adds a broken rule, unless one of the values that it speaks of could not be read.
    pub(in crate::config) fn add_broken(
        &mut self,
        code: &'static str,
        keys: &[&Key],
        value: impl Display,
        rule: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let keys: Vec<Key> = keys.iter().map(|key| self.original(key)).collect();
        let unread = keys.iter().any(|key| self.unread.iter().any(|unread| unread.touches(key)));
        if let (Some(key), false) = (keys.first(), unread) {
            self.push(code, key, Some(value.to_string()), rule.into(), fix.into());
        }
    }

    fn push(&mut self, code: &'static str, key: &Key, value: Option<String>, rule: String, fix: String) {
        let origin = self.origin(key).map(str::to_owned);
        self.errors.push(ConfigError { code, key: key.to_string(), value, origin, rule, fix });
    }

    fn origin(&self, key: &Key) -> Option<&str> {
        key.with_parents().find_map(|key| self.origins.get(&key)).map(String::as_str)
    }

    /// The configuration file, when it is what sets this key.
    pub(in crate::config) fn file_of(&self, key: &Key) -> Option<PathBuf> {
        let file = self.file.as_ref()?;
        let place = self.origin(&self.original(key))?.strip_prefix(&*file.to_string_lossy())?;
        place.starts_with(':').then(|| file.clone())
    }

    pub(in crate::config) fn note_removed(&mut self, list: Key, index: usize) {
        let removed = self.removed.entry(list).or_default();
        removed.push(index);
        removed.sort_unstable();
    }

    /// The key as the user counts, from a key into lists that lost elements.
    pub(in crate::config) fn original(&self, key: &Key) -> Key {
        let mut original = Key::default();
        for step in &key.0 {
            original = match step {
                Step::Name(name) => original.name(name),
                Step::Index(index) => {
                    let mut index = *index;
                    for removed in self.removed.get(&original).into_iter().flatten() {
                        index += usize::from(*removed <= index);
                    }
                    original.index(index)
                }
            };
        }
        original
    }

    pub(in crate::config) fn finish(self) -> Result<(), ConfigErrors> {
        if self.errors.is_empty() { Ok(()) } else { Err(ConfigErrors(self.errors)) }
    }
}
