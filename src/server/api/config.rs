use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{Api, caller::Caller, error::ApiError};
use clawpool_core::config::{ConfigErrors, Origins, Setting};
use clawpool_engine::client::view::{ConfigView, ReloadRefusedView, ReloadView, SettingView};

/// The configuration of this process, as it holds.
pub(super) async fn show(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<ConfigView>, ApiError> {
    caller.oversees()?;
    let settings = match &api.reloader {
        Some(reloader) => reloader.settings(),
        None => api.config().settings(&Origins::default()),
    };
    let view = |Setting { key, value, origin }: Setting| SettingView { key, value, origin };
    Ok(Json(ConfigView { items: settings.into_iter().map(view).collect() }))
}

/// Reads the configuration of this process again.
pub(super) async fn reload(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let reloader = api.reloader.clone().ok_or_else(|| {
        ApiError::conflict("this dispatcher was started with its configuration by another program: ask that")
    })?;
    let reloaded = tokio::task::spawn_blocking(move || reloader.reload()).await;
    let reloaded =
        reloaded.map_err(|error| ApiError::internal(format!("the reload ended early: {error}")))?;
    Ok(match reloaded {
        Ok(view) => Json::<ReloadView>(view).into_response(),
        Err(errors) => (StatusCode::UNPROCESSABLE_ENTITY, Json(refused(errors))).into_response(),
    })
}

/// In full, however many there are: the shape of an error, and its faults one by one.
fn refused(errors: ConfigErrors) -> ReloadRefusedView {
    let message = format!("the configuration has mistakes, so nothing was changed:\n{errors}");
    ReloadRefusedView { code: "CP-1014".to_owned(), message, faults: errors }
}
