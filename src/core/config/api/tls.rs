use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The files with which HTTP is served over TLS. They are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM: the server's certificate first, then those between it and the authority.
    pub certificate: PathBuf,
    /// PEM: the key of the first one.
    pub key: PathBuf,
}
