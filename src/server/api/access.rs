use std::sync::Arc;

use axum::{Json, extract::State};

use super::{Api, caller::Caller};
use clawpool_engine::client::access::AccessView;

/// What the caller may do, for programs that offer nothing else.
pub(super) async fn show(State(api): State<Arc<Api>>, caller: Caller) -> Json<AccessView> {
    let token = caller.token();
    Json(AccessView {
        name: caller.name().map(str::to_owned),
        scopes: caller.scopes().to_vec(),
        tenants: token.map(|token| token.tenants.clone()).unwrap_or_default(),
        queues: token.map(|token| token.queues.clone()).unwrap_or_default(),
        required: api.tokens.are_required(),
        read_only: api.config().api.read_only,
    })
}
