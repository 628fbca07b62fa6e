use super::task_bulk::PACE;
use crate::api::openapi::About;
use clawpool_engine::client::Selection;

pub(in crate::api) fn requeue() -> About {
    About::new("requeue_dead", "Runs dead letters again")
        .more("A single one may get another `payload`.")
        .more(PACE)
        .takes::<Selection>()
        .answers(200, "How many run again.")
        .refuses([404, 409])
}

pub(in crate::api) fn discard() -> About {
    About::new("discard_dead", "Deletes dead letters")
        .more(PACE)
        .takes::<Selection>()
        .answers(200, "How many were deleted.")
        .refuses([404, 409])
}
