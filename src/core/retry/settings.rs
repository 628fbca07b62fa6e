use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::task::{ErrorClass, span};

/// The retry table (spec S9): a policy for each class of error, and the user's own by name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RetryTable(pub BTreeMap<String, RetryPolicy>);

/// How often a task is tried again after a failure, and after which waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts after the first.
    pub retries: u32,
    /// Before the first retry; each later wait is twice the one before.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub first: Duration,
    /// No wait is longer. Equal to `first`: a fixed wait.
    #[serde(with = "span")]
    #[schemars(with = "String")]
    pub max: Duration,
    /// Full jitter: each wait is drawn between zero and its value, so that failed tasks do not come back in
    /// one wave.
    #[serde(default = "yes")]
    pub jitter: bool,
}

const fn yes() -> bool {
    true
}

impl Default for RetryTable {
    fn default() -> Self {
        let rows = [
            (ErrorClass::Network, 5, 1.0, 32.0, true),
            (ErrorClass::RateLimit, 10, 1.0, 60.0, true),
            (ErrorClass::ServiceUnavailable, 5, 1.0, 16.0, true),
            (ErrorClass::Timeout, 3, 5.0, 5.0, false),
            (ErrorClass::Connection, 5, 1.0, 16.0, true),
            (ErrorClass::LlmRateLimit, 10, 2.0, 120.0, true),
            (ErrorClass::Database, 3, 0.5, 10.0, true),
            (ErrorClass::FileSystem, 3, 0.1, 5.0, false),
            (ErrorClass::Resource, 2, 5.0, 60.0, true),
            (ErrorClass::Authentication, 0, 0.0, 0.0, false),
            (ErrorClass::Validation, 0, 0.0, 0.0, false),
            (ErrorClass::Configuration, 0, 0.0, 0.0, false),
            (ErrorClass::Security, 0, 0.0, 0.0, false),
            (ErrorClass::Panic, 2, 1.0, 30.0, true),
            (ErrorClass::Other, 2, 1.0, 60.0, true),
        ];
        let policy = |retries, first, max, jitter| RetryPolicy {
            retries,
            first: Duration::from_secs_f64(first),
            max: Duration::from_secs_f64(max),
            jitter,
        };
        Self(
            rows.into_iter()
                .map(|(class, n, first, max, jitter)| {
                    (class.name().to_owned(), policy(n, first, max, jitter))
                })
                .collect(),
        )
    }
}
