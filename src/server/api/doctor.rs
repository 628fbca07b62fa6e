//! What `clawpool doctor` finds, looked for by this process.

use std::sync::Arc;

use axum::{Json, extract::State, http::HeaderMap};
use futures::future::BoxFuture;
use secrecy::SecretString;

use super::{Api, auth, caller::Caller, error::ApiError};
use clawpool_engine::client::doctor::DoctorView;

/// Looks at everything. What it asks of a dispatcher it asks with the token of who asks.
pub type Examine = Arc<dyn Fn(Option<SecretString>) -> BoxFuture<'static, DoctorView> + Send + Sync>;

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Json<DoctorView>, ApiError> {
    caller.oversees()?;
    let examine = api.doctor.as_ref().ok_or_else(|| {
        ApiError::conflict("this dispatcher is part of another program: run `clawpool doctor`")
    })?;
    // One look at a time: it asks every server, and takes some seconds where one of them is away.
    let _turn = api.examining.lock().await;
    Ok(Json(examine(auth::secret(&headers)).await))
}
