use crate::api::{
    host_series::STEPS,
    openapi::{About, query},
};
use clawpool_core::figures::Step;

pub(in crate::api) fn list() -> About {
    About::new("list_host_series", "Tells what machines did, window by window")
        .more(
            "At most 120 windows of all machines, or 3,000 of one. Windows of 10 s are kept for an hour, of \
             1 min for a day, of 15 min for 30 days.",
        )
        .with([
            query::text("host", "The name of a machine; without it all of them."),
            query::word(
                "step",
                "How long a window is; one that fits the time where it is absent.",
                STEPS.map(Step::name),
            ),
            query::time("from", "The beginning of the first window; an hour before `to` where it is absent."),
            query::time("to", "The end of the last one; now by default."),
        ])
        .answers(200, "The machines that were seen in this time, by name.")
}
