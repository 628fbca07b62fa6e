use schemars::JsonSchema;

use crate::api::openapi::{About, query};
use clawpool_core::task::NewTask;
use clawpool_engine::client::view::{AcceptedView, BatchLine};

/// One task, or many.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "a shape")]
enum Enqueued {
    /// One.
    One(Box<NewTask>),
    /// Up to `limits.batch` of the configuration, 1,000 by default.
    Many(#[schemars(length(min = 1, max = 1000))] Vec<NewTask>),
}

/// For one task what became of it, for many a line each, in order.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "a shape")]
enum EnqueuedView {
    /// It was there before.
    One(AcceptedView),
    /// Each with its id, or with its own error.
    Many(Vec<BatchLine>),
}

pub(in crate::api) fn enqueue() -> About {
    About::new("enqueue", "Adds a task, or many")
        .more(
            "A task is answered with its id only when it is durable. With an `id` of its own it may be sent \
             again when no answer came. The headers `traceparent` and `tracestate` are the trace of tasks \
             that name none. `Location` is the address of a single task.",
        )
        .with([
            query::wait("With a single task: waits for its end, and answers with its record as `task`."),
            query::header(
                "Idempotency-Key",
                "By it the request is known again: sent once more, as it was, it adds nothing and is \
                 answered with the same ids. 1 to 255 visible characters, a UUID best. The tasks have no \
                 `id` of their own then.",
                "^[!-~]{1,255}$",
            ),
        ])
        .takes::<Enqueued>()
        .answers_with::<AcceptedView>(201, "One task was added.")
        .answers_with::<EnqueuedView>(200, "One task that was there before; or many, with a line each.")
        .refuses([409, 422])
}

pub(in crate::api) fn explain() -> About {
    About::new("explain", "Says what would become of a task, and adds nothing")
        .takes::<NewTask>()
        .answers(200, "What would become of it, and why.")
}
