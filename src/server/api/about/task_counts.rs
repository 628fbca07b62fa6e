use clawpool_core::task::State;

use crate::api::openapi::{About, query};

pub(in crate::api) fn show() -> About {
    About::new("count_tasks", "Counts tasks by state and kind")
        .more("Looks at the latest records, and says whether these were all.")
        .with([
            query::words("state", "In one of these states.", State::ALL.map(State::name)),
            query::kind(),
            query::priority(),
            query::text("queue", "The name of a queue."),
            query::tenant(),
            query::since("Tasks that were enqueued"),
            query::until("Tasks that were enqueued"),
            query::cursor(),
        ])
        .answers(200, "How many there are among the records that were looked at.")
        .refuses([404])
}
