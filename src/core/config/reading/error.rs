//! The faults of a configuration, as they are told.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// One mistake in a configuration: where it is, what stands there, which rule it breaks and what to write
/// instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConfigError {
    /// Stable, `CP-1001` to `CP-1013`; `clawpool explain` has each.
    pub code: &'static str,
    /// Dotted path, `worker.slots` or `rules[2].kinds`; empty for a mistake of the file as a whole.
    pub key: String,
    /// As it was written; `***` for secrets (INV-10).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the value was set: `clawpool.toml:12`, an environment variable, `--set`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// What is wrong.
    pub rule: String,
    /// What to write instead, or to do.
    pub fix: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)?;
        if !self.key.is_empty() {
            write!(f, " {}", self.key)?;
        }
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        if let Some(origin) = &self.origin {
            write!(f, " ({origin})")?;
        }
        write!(f, ": {}; {}", self.rule, self.fix)
    }
}

/// Every mistake of a configuration in one report, one line each (INV-9). Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error, JsonSchema)]
#[serde(transparent)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}
