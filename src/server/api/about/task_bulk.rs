use crate::api::openapi::About;
use clawpool_engine::client::TaskSelection;

pub(super) const PACE: &str = "One of `ids`, `filter` and `all` says which. Changes some 2,000 a request: \
    where the answer has `next`, ask again with it as `cursor`.";

pub(in crate::api) fn cancel() -> About {
    About::new("cancel_tasks", "Cancels many tasks")
        .more(PACE)
        .takes::<TaskSelection>()
        .answers(200, "How many were cancelled.")
        .refuses([404, 409])
}

pub(in crate::api) fn run() -> About {
    About::new("run_tasks", "Starts many scheduled tasks now")
        .more(PACE)
        .takes::<TaskSelection>()
        .answers(200, "How many were put on their queues.")
        .refuses([404, 409])
}
