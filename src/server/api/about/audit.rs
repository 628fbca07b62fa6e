use crate::api::openapi::{About, query};

pub(in crate::api) fn list() -> About {
    let verb = "What was asked for: `queue.pause`, or a pattern: `token.*`.";
    About::new("list_audit", "Lists who changed what, the latest first")
        .with([
            query::text("by", "The name of the token that it was asked with."),
            query::form("verb", verb, "^[A-Za-z0-9._:/*-]+$"),
            query::text("subject", "Of what: the name of a queue, a pool or a token, or an id."),
            query::word("outcome", "How it ended.", ["done", "refused", "failed"]),
            query::since("Changes"),
            query::until("Changes"),
        ])
        .with(query::page())
        .answers(200, "A page of changes.")
}
