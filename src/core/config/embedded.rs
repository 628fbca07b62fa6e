//! The section `[embedded]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::{Key, Report};

/// The embedded profile's file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Embedded {
    /// The folder for `clawpool.db`; made when missing.
    pub data: PathBuf,
    /// What an accepted task survives; loss of power by default.
    pub synchronous: Synchronous,
}

impl Default for Embedded {
    fn default() -> Self {
        Self { data: "clawpool-data".into(), synchronous: Synchronous::Full }
    }
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Synchronous {
    /// Loss of power.
    Full,
    /// The death of any process, but not loss of power in the last moment. Faster.
    Normal,
}

impl Embedded {
    pub(super) fn check(&self, report: &mut Report) {
        if self.data.as_os_str().is_empty() {
            let fix = "write for example \"clawpool-data\"";
            report.refuse(&Key::from("embedded.data"), "\"\"", "the folder has no name", fix);
        }
    }
}
