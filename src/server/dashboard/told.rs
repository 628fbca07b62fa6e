//! What an action did, told on the page after it.

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::session::{TOLD, read};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    /// What was done, or why it was not.
    pub(super) text: String,
    /// The command that does the same.
    pub(super) command: String,
    #[serde(default)]
    pub(super) failed: bool,
}

/// A cookie has room for so much.
const LONGEST: usize = 600;

impl Told {
    pub(super) fn done(text: impl Into<String>, command: impl Into<String>) -> Self {
        Self { text: text.into(), command: command.into(), failed: false }
    }

    pub(super) fn failed(text: impl Into<String>, command: impl Into<String>) -> Self {
        Self { failed: true, ..Self::done(text, command) }
    }

    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        serde_json::from_slice(&read(headers, TOLD)?).ok()
    }

    pub(super) fn json(&self) -> String {
        let cut = |text: &str| text[..text.floor_char_boundary(LONGEST)].to_owned();
        let told = Self { text: cut(&self.text), command: cut(&self.command), failed: self.failed };
        serde_json::to_string(&told).unwrap_or_default()
    }
}
