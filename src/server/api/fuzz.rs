//! Query strings, as untrusted clients send them.

use axum::{extract::FromRequestParts, http::Request};
use futures::FutureExt;

use super::{error::ApiError, query::Params};
use clawpool_backends::store::Record;

/// What is wrong with a field is told with the field.
fn says_what(error: ApiError) {
    let view = error.view();
    assert!(!view.message.is_empty() && view.message.len() < 2100, "{view:?}");
    assert!(view.code != "CP-1402" || view.field.is_some(), "a wrong field is not named: {view:?}");
}

/// What listings are asked with.
pub fn query(bytes: &[u8]) {
    let uri = format!("http://localhost/v1/tasks?{}", String::from_utf8_lossy(bytes));
    let Ok(request) = Request::builder().uri(uri).body(()) else { return };
    let mut parts = request.into_parts().0;
    let Some(read) = Params::from_request_parts(&mut parts, &()).now_or_never() else { return };
    let asked = read.and_then(|mut params| {
        assert!((1..=1000).contains(&params.limit()?));
        params.wait()?;
        params.time("from")?;
        params.value::<clawpool_core::task::State>("state")?;
        params.value::<clawpool_core::task::Priority>("priority")?;
        params.value::<clawpool_core::task::TaskId>("id")?;
        params.text("cursor");
        params.done()
    });
    asked.unwrap_or_else(says_what);
    // The same text as a record that a client reads.
    let _ = serde_json::from_slice::<Record>(bytes);
}
