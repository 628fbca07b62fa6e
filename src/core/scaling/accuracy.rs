use serde::{Deserialize, Serialize};

/// How good the forecasts of the last day were, as shares of what came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    pub judged: usize,
    pub error: f64,
    /// Of "as it is now".
    pub naive_error: f64,
    pub trusted: bool,
}
