use crate::api::openapi::{About, query};

pub(in crate::api) fn show() -> About {
    About::new("get_task", "Tells all of one task: its state, payload, attempts and result")
        .with([query::task("The id of the task."), query::wait("Until it has ended, or for this long.")])
        .answers(200, "The task as it is now.")
        .refuses([404, 409])
}

pub(in crate::api) fn logs() -> About {
    About::new("get_task_logs", "Tells what its attempts wrote and logged")
        .with([
            query::task("The id of the task."),
            query::whole("attempt", "Only this attempt; 1 is the first.", 0, u64::from(u32::MAX)),
        ])
        .answers(200, "The logs, attempt by attempt.")
        .refuses([404, 409])
}
