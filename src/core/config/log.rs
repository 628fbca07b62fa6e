//! The section `[log]`.

use std::path::PathBuf;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use super::reading::{Key, Report, size};

/// What the programs log, how, and where to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `pretty` or `json`.
    pub format: LogFormat,
    /// A `tracing` filter, for example `info` or `clawpool=debug,lapin=warn`.
    pub filter: String,
    /// Write to this file instead of standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// `never`, or `daily`: a new file at midnight UTC and whenever one is full, its name ending in the date.
    pub rotate: LogRotation,
    /// A file of a log that rotates is full at this size.
    #[serde(with = "size")]
    #[schemars(with = "String")]
    pub size: ByteSize,
    /// So many files of a log that rotates; older ones are removed.
    pub keep: u16,
    /// Windows: errors also go to the event log, under this source. `clawpool service install` registers one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_source: Option<String>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Pretty,
            filter: "info".into(),
            file: None,
            rotate: LogRotation::Never,
            size: ByteSize::mib(32),
            keep: 14,
            event_source: None,
        }
    }
}

impl Log {
    pub(super) fn check(&self, report: &mut Report) {
        if let Err(error) = EnvFilter::builder().parse(&self.filter) {
            let fix = "write for example \"info\" or \"clawpool=debug,lapin=warn\"";
            report.refuse(&Key::from("log.filter"), format!("{:?}", self.filter), error.to_string(), fix);
        }
        report.at_least_one("log.size", self.size.as_u64());
        report.at_least_one("log.keep", self.keep);
    }
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line, for collectors.
    Json,
}

/// When the log goes on in a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogRotation {
    /// One file grows without end.
    Never,
    /// At midnight UTC, and whenever the file has reached `size`.
    Daily,
}
