//! The table `exec` of a handler: a program that runs once for each task.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::reading::{
    Key, Report,
    redaction::{Masked, masked},
};

/// Runs a program: the task as JSON on its standard input, the result as JSON on its standard output.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// Program and arguments; no shell is involved.
    pub command: Vec<String>,
    /// The folder it starts in; the worker's own by default.
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

impl Exec {
    pub(super) fn check(&self, key: &Key, report: &mut Report) {
        if self.command.first().is_none_or(String::is_empty) {
            let shown = format!("{:?}", self.command);
            let fix = "write [\"program\", \"argument\"]";
            report.refuse(&key.name("command"), shown, "the command names no program", fix);
        }
        for (index, code) in self.retry_codes.iter().enumerate() {
            if *code == 0 {
                let rule = "the exit code 0 means success";
                report.refuse(&key.name("retry_codes").index(index), code, rule, "name codes other than 0");
            }
            if self.fatal_codes.contains(code) {
                let keys = [&key.name("retry_codes").index(index), &key.name("fatal_codes")];
                report.conflict(
                    &keys,
                    code,
                    "fatal_codes has the same exit code",
                    "keep it in one of the two",
                );
            }
        }
        for name in self.env.keys().chain(&self.pass_env) {
            if name.is_empty() || name.contains(['=', '\0']) {
                let rule = "this is no name of an environment variable";
                report.refuse(&key.name("env"), format!("{name:?}"), rule, "use letters, digits and _");
            }
        }
    }
}
