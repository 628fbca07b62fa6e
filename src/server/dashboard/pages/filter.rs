//! Conditions for tasks and dead letters, as addresses and forms have them.

use clawpool_core::task::Timestamp;

use crate::dashboard::{
    form::{Address, Form},
    refusal::Refusal,
    words::quoted,
};

/// What lists of tasks can be asked for, as the API names it.
pub(crate) const TASKS: [&str; 10] =
    ["state", "kind", "priority", "queue", "tenant", "session", "tag", "text", "since", "until"];
/// What lists of dead letters can be asked for.
pub(crate) const DEAD: [&str; 9] =
    ["reason", "kind", "priority", "tenant", "session", "tag", "text", "since", "until"];

/// Those that the form has, each with its value.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) set: Vec<(&'static str, String)>,
}

impl Filter {
    pub(crate) fn read(form: &Form, names: &'static [&'static str]) -> Self {
        let set = names.iter().filter_map(|name| Some((*name, form.text(name)?.to_owned())));
        Self { set: set.collect() }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.set.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }

    pub(crate) fn value(&self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_owned()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Some that the form above a list hides at first are set.
    pub(crate) fn has_rare(&self) -> bool {
        let rare = ["priority", "tenant", "session", "tag", "since", "until"];
        self.set.iter().any(|(name, _)| rare.contains(name))
    }

    pub(crate) fn address(&self, path: &str) -> Address {
        self.set.iter().fold(Address::new(path), |address, (name, value)| address.with(name, Some(value)))
    }

    /// A condition as the type that the API reads.
    pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|error| Refusal::wrong(format!("{name}: {error}")))
    }

    /// A moment, as RFC 3339 or as how long ago it was.
    pub(crate) fn moment(&self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        if let Ok(span) = humantime::parse_duration(text) {
            return Ok(Some(Timestamp::ago(span)));
        }
        let read = serde_json::from_value(text.into());
        read.map(Some).map_err(|error| Refusal::wrong(format!("{name}: {error}; or write how long ago: 2h")))
    }

    /// The same for a command line.
    pub(crate) fn flags(&self) -> String {
        if self.is_empty() {
            return " --all".to_owned();
        }
        let flags = self.set.iter().map(|(name, value)| format!(" --{name} {}", quoted(value)));
        flags.collect()
    }

    /// To be sent again with a form.
    pub(crate) fn hidden(&self) -> Vec<(String, String)> {
        self.set.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }
}
