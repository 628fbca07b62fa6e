use std::collections::BTreeMap;

use serde::Serialize;

use clawpool_core::task::{ErrorClass, Failure, Payload, Priority, TaskId, Tier, Timestamp};
use clawpool_engine::worker::Context;

/// A task as programs and web services get it: one JSON object.
#[derive(Serialize)]
pub(super) struct Request<'a> {
    id: TaskId,
    kind: &'a str,
    payload: &'a Payload,
    /// 1 for the first.
    attempt: u32,
    pub(super) deadline: Timestamp,
    priority: Priority,
    tenant: Option<&'a str>,
    tier: Option<Tier>,
    session: Option<&'a str>,
    enqueued_at: Timestamp,
    /// The span of this attempt.
    trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_state: Option<&'a str>,
    meta: &'a BTreeMap<String, String>,
}

impl<'a> Request<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        let task = &context.task;
        Self {
            id: task.id,
            kind: &task.kind,
            payload: &task.payload,
            attempt: context.attempt(),
            deadline: Timestamp::now() + context.time_left(),
            priority: task.priority,
            tenant: task.tenant.as_deref(),
            tier: task.tier,
            session: task.session.as_deref(),
            enqueued_at: task.enqueued_at,
            trace: context.traceparent(),
            trace_state: context.tracestate(),
            meta: &task.meta,
        }
    }

    /// MessagePack holds values that JSON cannot, such as maps with other keys than text.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, Failure> {
        serde_json::to_vec(self).map_err(|error| {
            Failure::new(
                ErrorClass::Validation,
                format!("the task cannot be written as JSON for its handler: {error}"),
            )
        })
    }
}
