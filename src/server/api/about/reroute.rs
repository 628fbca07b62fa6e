use super::task_bulk::PACE;
use crate::api::openapi::About;
use clawpool_engine::client::TaskSelection;

pub(in crate::api) fn priority() -> About {
    About::new("set_task_priority", "Has many waiting tasks wait on another queue")
        .more("`to` says which: a priority or the name of a queue. What runs is left alone.")
        .more(PACE)
        .takes::<TaskSelection>()
        .answers(200, "How many are on their way to it.")
        .refuses([404, 409])
}
