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

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use clawpool_core::task::Payload;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// What a task that has this trace itself takes from such a request.
    async fn adopted(own: Option<&str>, headers: &[(&str, &str)]) -> (Option<String>, Option<String>) {
        let request =
            headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let Ok(headers) = TraceHeaders::from_request_parts(&mut parts, &()).await;
        let task = NewTask { trace: own.map(Into::into), ..NewTask::new("a", Payload::null()) };
        let task = headers.adopted(task);
        (task.trace, task.trace_state)
    }

    #[tokio::test]
    async fn headers_are_taken_by_a_task_without_a_trace_of_its_own() {
        let both = [("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")];
        assert_eq!(adopted(None, &both).await, (Some(PARENT.into()), Some("a=1,b=2".into())));
        let own = PARENT.replace("4bf9", "0000");
        assert_eq!(adopted(Some(&own), &both).await, (Some(own), None));
        assert_eq!(adopted(None, &[]).await, (None, None));
    }

    #[tokio::test]
    async fn what_is_malformed_counts_as_none() {
        for headers in [
            &[("traceparent", "nonsense"), ("tracestate", "a=1")][..],
            &[("traceparent", PARENT), ("traceparent", PARENT)],
            &[("tracestate", "a=1")],
        ] {
            assert_eq!(adopted(None, headers).await, (None, None), "{headers:?}");
        }
        let state = [("traceparent", PARENT), ("tracestate", "UPPER=1")];
        assert_eq!(adopted(None, &state).await, (Some(PARENT.into()), None));
    }
}
