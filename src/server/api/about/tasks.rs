use utoipa::openapi::path::Parameter;

use crate::api::openapi::{About, query};
use clawpool_core::task::State;
use clawpool_engine::client::view::CancelView;

fn id() -> [Parameter; 1] {
    [query::task("The id of the task.")]
}

/// What records alone tell of tasks.
pub(super) fn filter() -> [Parameter; 7] {
    [
        query::words("state", "In one of these states.", State::ALL.map(State::name)),
        query::kind(),
        query::priority(),
        query::text("queue", "The name of a queue."),
        query::tenant(),
        query::since("Tasks that were enqueued"),
        query::until("Tasks that were enqueued"),
    ]
}

pub(in crate::api) fn list() -> About {
    About::new("list_tasks", "Lists tasks, the latest first")
        .with(filter())
        .with(query::inside())
        .with(query::page())
        .answers(200, "A page of tasks.")
        .refuses([404])
}

pub(in crate::api) fn cancel() -> About {
    About::new("cancel_task", "Cancels a task")
        .with(id())
        .answers_with::<CancelView>(200, "It had not started and never will.")
        .answers_with::<CancelView>(202, "It runs; its handler was told to stop.")
        .refuses([404, 409])
}

pub(in crate::api) fn run() -> About {
    About::new("run_task", "Starts a scheduled task now")
        .more("One that has fallen out of its queue is put back.")
        .with(id())
        .answers(200, "The task, on its queue.")
        .refuses([404, 409])
}
