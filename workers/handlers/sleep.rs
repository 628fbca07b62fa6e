use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use clawpool_core::task::{ErrorClass, Failure, Payload};
use clawpool_engine::worker::{Context, Handler};

/// Waits for `ms` milliseconds, or until it is told to stop.
pub(super) struct Sleep;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    ms: u64,
}

#[async_trait]
impl Handler for Sleep {
    async fn run(&self, context: Context) -> Result<Payload, Failure> {
        let Span { ms } = context.payload()?;
        let nap = tokio::time::sleep(Duration::from_millis(ms));
        match context.cancelled().run_until_cancelled(nap).await {
            Some(()) => Ok(Payload::null()),
            None => {
                Err(Failure::new(ErrorClass::Timeout, format!("was stopped before its {ms} ms were over")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Attempt;

    #[tokio::test(start_paused = true)]
    async fn sleeps_and_can_be_woken() {
        let attempt = Attempt::new(&json!({"ms": 3_600_000}));
        assert!(Sleep.run(attempt.context.clone()).await.unwrap().is_null());
        attempt.cancel();
        assert_eq!(Sleep.run(attempt.context.clone()).await.unwrap_err().class, ErrorClass::Timeout);
    }

    #[tokio::test]
    async fn a_payload_of_another_shape_is_refused() {
        let attempt = Attempt::new(&json!({"seconds": 3}));
        assert_eq!(Sleep.run(attempt.context).await.unwrap_err().class, ErrorClass::Validation);
    }
}
