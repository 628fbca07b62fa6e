use crate::api::openapi::About;
use clawpool_engine::client::Selection;

pub(in crate::api) fn requeue() -> About {
    About::new("requeue_dead", "Runs dead letters again")
        .more("One of `ids`, `filter` and `all` says which. A single one may get another `payload`.")
        .takes::<Selection>()
        .answers(200, "How many run again.")
}

pub(in crate::api) fn discard() -> About {
    About::new("discard_dead", "Deletes dead letters")
        .more("One of `ids`, `filter` and `all` says which.")
        .takes::<Selection>()
        .answers(200, "How many were deleted.")
}
