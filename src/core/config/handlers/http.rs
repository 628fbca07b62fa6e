//! The table `http` of a handler: a web service to which each task is posted.

use std::{collections::BTreeMap, fmt, time::Duration};

use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    config::reading::{
        Key, Report,
        redaction::{HIDDEN, Masked, masked, redact, redacted_text},
    },
    task::span,
};

/// Posts the task as JSON to a web service; the status is mapped by spec S9, Retry-After is obeyed.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where tasks are posted: `http://host:port/path` or `https://…`.
    #[serde(serialize_with = "redacted_text")]
    pub url: String,
    /// Sent along with each task. A value may be `env:NAME` or `file:PATH`.
    #[serde(default, serialize_with = "masked", skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Longest wait for a connection; 5 s by default.
    #[serde(default = "five_seconds", with = "span")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, headers, connect_timeout } = self;
        f.debug_struct("Http")
            .field("url", &redact(url))
            .field("headers", &Masked(headers))
            .field("connect_timeout", connect_timeout)
            .finish()
    }
}

const fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

impl Http {
    pub(super) fn check(&self, key: &Key, report: &mut Report) {
        let problem = match Url::parse(&self.url) {
            Err(error) => Some(format!("it is not an address ({error})")),
            Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                Some(format!("{}:// is not HTTP", url.scheme()))
            }
            Ok(_) => None,
        };
        if let Some(problem) = problem {
            let fix = "write http://host:port/path or https://…";
            report.add_broken("CP-1012", &[&key.name("url")], redact(&self.url), problem, fix);
        }
        for (name, value) in &self.headers {
            if HeaderName::from_bytes(name.as_bytes()).is_err() || HeaderValue::from_str(value).is_err() {
                let rule = "its name or its value cannot stand in a header";
                let key = key.name("headers").name(name);
                report.refuse(&key, HIDDEN, rule, "use visible ASCII characters");
            }
        }
        report.positive(key.name("connect_timeout"), self.connect_timeout);
    }
}
