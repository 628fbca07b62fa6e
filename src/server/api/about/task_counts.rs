use super::tasks::filter;
use crate::api::openapi::{About, query};

pub(in crate::api) fn show() -> About {
    About::new("count_tasks", "Counts tasks by state and kind")
        .more("Looks at the latest records, and says whether these were all.")
        .with(filter())
        .with([query::cursor()])
        .answers(200, "How many there are among the records that were looked at.")
        .refuses([404])
}
