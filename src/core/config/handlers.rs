use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::{Masked, masked, redact, redacted_text};
use crate::task::{KindPattern, span};

/// The kinds that every stock worker runs without a word in its configuration; `workers/handlers` has what
/// runs them.
pub const SHIPPED_KINDS: [&str; 2] = ["clawpool.noop", "clawpool.sleep"];

/// A handler that is not Rust code. Exactly one of `exec` and `http`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandlerSpec {
    /// The kind it runs, or a pattern (`email.*`). A kind wins over a pattern, and a pattern over one with
    /// fewer letters.
    pub kind: KindPattern,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<Exec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
}

/// Runs a program: the task as JSON on its standard input, the result as JSON on its standard output.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// Program and arguments; no shell is involved.
    pub command: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
    /// The program's whole environment, beside PATH, HOME, TMPDIR and the Windows system variables (INV-10).
    /// A value may be `env:NAME` or `file:PATH`.
    #[serde(default, serialize_with = "masked", skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Variables of the worker that the program gets as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pass_env: Vec<String>,
    /// Exit codes that mean: try again. Default 75.
    #[serde(default = "temporary")]
    pub retry_codes: Vec<i32>,
    /// Exit codes that mean: never try again. Default 64, 65, 77 and 78.
    #[serde(default = "permanent")]
    pub fatal_codes: Vec<i32>,
}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, dir, env, pass_env, retry_codes, fatal_codes } = self;
        f.debug_struct("Exec")
            .field("command", command)
            .field("dir", dir)
            .field("env", &Masked(env))
            .field("pass_env", pass_env)
            .field("retry_codes", retry_codes)
            .field("fatal_codes", fatal_codes)
            .finish()
    }
}

fn temporary() -> Vec<i32> {
    vec![75]
}

fn permanent() -> Vec<i32> {
    vec![64, 65, 77, 78]
}

/// Posts the task as JSON to a web service; the status is mapped by spec S9, Retry-After is obeyed.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    #[serde(serialize_with = "redacted_text")]
    pub url: String,
    /// A value may be `env:NAME` or `file:PATH`.
    #[serde(default, serialize_with = "masked", skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
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
