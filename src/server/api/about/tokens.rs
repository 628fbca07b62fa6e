use crate::api::openapi::{About, query};
use clawpool_engine::client::access::NewToken;

pub(in crate::api) fn list() -> About {
    About::new("list_tokens", "Lists all tokens, without their secrets").answers(200, "The tokens.")
}

pub(in crate::api) fn add() -> About {
    About::new("add_token", "Makes a token")
        .takes::<NewToken>()
        .answers(201, "The token with its secret, which is told this once.")
        .refuses([409])
}

pub(in crate::api) fn revoke() -> About {
    About::new("revoke_token", "Revokes a token that was made at run time")
        .with([query::name("name", "Its name.")])
        .answers(200, "It opens nothing any more.")
        .refuses([404, 409])
}
