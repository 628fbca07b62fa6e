//! Adds tasks over HTTP.
//!
//! Guarantees: with a key the same call may be made again when no answer came, and adds nothing twice. Never
//! does: ask again by itself.

use reqwest::{Method, RequestBuilder};
use serde::Serialize;

use super::{
    Client, ClientError, IdempotencyKey,
    view::{AcceptedView, BatchLine},
};
use clawpool_core::task::NewTask;

impl Client {
    /// Adds one task, without an id of its own where there is a key. `duplicate` of the answer says whether
    /// it was there before. When the error [is retryable](ClientError::is_retryable), the same call with
    /// the same key is the way on: the task may have been taken.
    pub async fn enqueue(
        &self,
        task: &NewTask,
        key: Option<&IdempotencyKey>,
    ) -> Result<AcceptedView, ClientError> {
        self.answer(self.enqueuing(task, key)?).await
    }

    /// The same for several, with a line for each in their order. With a key they are sent again all
    /// together, also where some were refused.
    pub async fn enqueue_all(
        &self,
        tasks: &[NewTask],
        key: Option<&IdempotencyKey>,
    ) -> Result<Vec<BatchLine>, ClientError> {
        self.answer(self.enqueuing(tasks, key)?).await
    }

    fn enqueuing(
        &self,
        body: &(impl Serialize + ?Sized),
        key: Option<&IdempotencyKey>,
    ) -> Result<RequestBuilder, ClientError> {
        let request = self.request(Method::POST, "v1/tasks", &[])?.json(body);
        Ok(match key {
            Some(key) => request.header("idempotency-key", key.as_str()),
            None => request,
        })
    }
}
