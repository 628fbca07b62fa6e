use crate::api::openapi::{About, query};

pub(in crate::api) fn list() -> About {
    About::new("list_scheduled", "Lists what is due later, the earliest first")
        .with(query::page())
        .answers(200, "A page of what is due.")
}
