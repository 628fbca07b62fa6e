use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How good the forecasts of the last day were, as shares of what came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Accuracy {
    /// Forecasts whose time has come, so that they could be compared.
    pub judged: usize,
    /// Of the forecast: 0.1 means a tenth off, on average.
    pub error: f64,
    /// Of "as it is now".
    pub naive_error: f64,
    /// Whether the forecast may start workers.
    pub trusted: bool,
}
