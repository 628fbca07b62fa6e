use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};

use clawpool_core::task::NewTask;

/// The W3C trace context in a request's headers. It holds for each task without one of its own.
pub(super) struct TraceHeaders {
    /// None also where there are several.
    parent: Option<String>,
    state: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for TraceHeaders {
    type Rejection = Infallible;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let all = |name| -> Vec<String> {
            let values = request.headers.get_all(name).iter();
            values.filter_map(|value| Some(value.to_str().ok()?.trim().to_owned())).collect()
        };
        let (mut parents, states) = (all("traceparent"), all("tracestate"));
        let parent = if parents.len() == 1 { parents.pop() } else { None };
        // The W3C lets it be split over several headers.
        let state = if states.is_empty() { None } else { Some(states.join(",")) };
        Ok(Self { parent, state })
    }
}

impl TraceHeaders {
    pub(super) fn adopted(&self, mut task: NewTask) -> NewTask {
        task.adopt_trace(self.parent.as_deref(), self.state.as_deref());
        task
    }
}
