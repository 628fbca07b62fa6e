//! The shapes of answers about what is wrong, as `clawpool doctor` finds it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything that was found.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DoctorView {
    /// The worst of all: `ok`, `warning` or `error`.
    pub status: String,
    /// How many findings are errors.
    pub errors: usize,
    /// How many are warnings.
    pub warnings: usize,
    /// What each check found, in the order of the checks.
    pub findings: Vec<FindingView>,
}

/// One finding of one check.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FindingView {
    /// Its name.
    pub check: String,
    /// `ok`, `skipped`, `warning` or `error`.
    pub status: String,
    /// How it is, in words.
    pub text: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// For `clawpool explain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}
