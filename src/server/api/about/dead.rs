use utoipa::openapi::path::Parameter;

use crate::api::openapi::{About, query};
use clawpool_core::task::DeadReason;

fn filter() -> [Parameter; 6] {
    [
        query::kind(),
        query::word("reason", "Why they ended.", DeadReason::ALL.map(DeadReason::name)),
        query::priority(),
        query::tenant(),
        query::since("Dead letters since they died"),
        query::until("Dead letters that died"),
    ]
}

pub(in crate::api) fn list() -> About {
    About::new("list_dead", "Lists dead letters, the latest first")
        .with(filter())
        .with(query::inside())
        .with(query::page())
        .answers(200, "A page of dead letters.")
}

pub(in crate::api) fn export() -> About {
    About::new("export_dead", "Tells every matching dead letter, whole")
        .more("One JSON object a line, each as `get_dead` answers it. An export that breaks off was not all.")
        .with(filter())
        .with(query::inside())
        .answers_as(200, "application/jsonl", "A line for each.")
}

pub(in crate::api) fn show() -> About {
    About::new("get_dead", "Tells all of one dead letter")
        .with([query::task("The id of its task.")])
        .answers(200, "The dead letter.")
        .refuses([404, 409])
}
