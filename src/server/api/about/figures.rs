use crate::api::openapi::{About, query};
use clawpool_core::figures::Step;

pub(in crate::api) fn sla() -> About {
    About::new("get_sla", "Tells how well each class keeps its promise")
        .answers(200, "A row for each priority.")
}

pub(in crate::api) fn list() -> About {
    About::new("list_figures", "Tells what attempts did, window by window")
        .more("At most 1,000 windows; 60 where `from` does not say since when.")
        .with([
            query::word("step", "How long a window is; `1m` by default.", Step::ALL.map(Step::name)),
            query::time("from", "The beginning of the first window."),
            query::time("to", "The end of the last one; now by default."),
            query::text("queue", "The name of a queue."),
            query::text("kind", "A kind."),
        ])
        .answers(200, "The windows, the oldest first.")
}
