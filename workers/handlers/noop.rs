use async_trait::async_trait;

use clawpool_core::task::{Failure, Payload};
use clawpool_engine::worker::{Context, Handler};

/// Returns its payload. For trying a pool out and for measuring what the pool itself costs.
pub(super) struct Noop;

#[async_trait]
impl Handler for Noop {
    async fn run(&self, context: Context) -> Result<Payload, Failure> {
        Ok(context.task.payload.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Attempt;

    #[tokio::test]
    async fn returns_its_payload() {
        let attempt = Attempt::new(&"hello");
        assert_eq!(Noop.run(attempt.context.clone()).await.unwrap(), attempt.context.task.payload);
    }
}
