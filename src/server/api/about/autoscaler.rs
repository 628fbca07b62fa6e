use utoipa::openapi::path::Parameter;

use crate::api::openapi::{About, query};
use clawpool_engine::client::Scale;

const ASKED: &str = "It was asked for: the autoscaler does so at its next look.";

fn pool() -> [Parameter; 1] {
    [query::name("pool", "A pool that an autoscaler keeps.")]
}

pub(in crate::api) fn status() -> About {
    About::new("get_autoscaler", "Tells of every pool its size, the size it should have, and why")
        .answers(200, "The pools.")
}

pub(in crate::api) fn history() -> About {
    About::new("list_scalings", "Lists every change of size, the latest first")
        .with([query::pool()])
        .with(query::page())
        .answers(200, "A page of decisions.")
}

pub(in crate::api) fn pause_all() -> About {
    About::new("pause_autoscaler", "Leaves all pools at their size").answers(202, ASKED)
}

pub(in crate::api) fn resume_all() -> About {
    About::new("resume_autoscaler", "Lets the policies decide again").answers(202, ASKED)
}

pub(in crate::api) fn pause() -> About {
    About::new("pause_pool", "Leaves one pool at its size").with(pool()).answers(202, ASKED).refuses([404])
}

pub(in crate::api) fn resume() -> About {
    About::new("resume_pool", "Lets the policies decide about one pool again")
        .with(pool())
        .answers(202, ASKED)
        .refuses([404])
}

pub(in crate::api) fn scale() -> About {
    About::new("scale_pool", "Holds a pool at a size for some time")
        .more("The bounds of the configuration hold all the same.")
        .with(pool())
        .takes::<Scale>()
        .answers(200, "The size, and until when it holds.")
        .refuses([404])
}
