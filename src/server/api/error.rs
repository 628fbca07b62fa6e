use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use clawpool_backends::{broker::BrokerError, path::PathError, store::StoreError};
use clawpool_core::task::{TaskId, Unread};
use clawpool_engine::{
    client::view::ErrorView,
    dispatch::{Fault, Rejection},
};

/// A refusal: a status for programs, a stable code for documentation and a message for people.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    message: String,
    field: Option<String>,
    retry_after: Option<Duration>,
    id: Option<TaskId>,
}

/// The code of a refusal, for what looks at the answer on its way out.
#[derive(Clone, Copy, Debug)]
pub(super) struct ErrorCode(pub(super) &'static str);

/// What a client is told to wait when nothing better is known.
const PATIENCE: Duration = Duration::from_secs(1);

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), field: None, retry_after: None, id: None }
    }

    /// The body is not a document of its format.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "CP-1401", message)
    }

    /// A field is unknown or has the wrong type or value.
    pub(super) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(StatusCode::BAD_REQUEST, "CP-1402", message) }
    }

    pub(super) fn seconds_for_milliseconds(field: &str, millis: u64) -> Self {
        let message =
            format!("{millis} is a number of seconds, it seems: send milliseconds since 1970, {millis}000");
        Self { code: "CP-1123", ..Self::field(field, message) }
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let message =
            format!("the request is longer than {limit} bytes: send fewer or smaller tasks at once");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "CP-1403", message)
    }

    pub(super) fn unauthorised(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "CP-1404", message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "CP-1405", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "CP-1406", message)
    }

    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "CP-1408", message)
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "CP-1409", message);
        tracing::error!(message = %error.message, "a request failed");
        error
    }

    /// Too much at once: the same request may succeed after a while.
    pub(super) fn busy(code: &'static str, message: impl Into<String>) -> Self {
        Self { retry_after: Some(PATIENCE), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message) }
    }

    #[must_use]
    pub(super) fn at(mut self, field: Option<impl Into<String>>) -> Self {
        self.field = field.map(Into::into).or(self.field);
        self
    }

    /// Whole seconds, rounded up: a client must not come back too early.
    fn seconds(&self) -> Option<u64> {
        let wait = self.retry_after?;
        Some(u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1))
    }

    pub(super) fn is_busy(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    pub(super) fn view(self) -> ErrorView {
        let retry_after = self.seconds();
        let field = self.field.map(|field| cut(field, 200));
        ErrorView {
            code: self.code.to_owned(),
            message: cut(self.message, 2000),
            field,
            retry_after,
            id: self.id,
        }
    }
}

/// What a client wrote comes back to it in a refusal, but not by the megabyte.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let code = error.code();
        match error {
            StoreError::BadCursor(_) => {
                Self::new(StatusCode::BAD_REQUEST, code, error.to_string()).at(Some("cursor"))
            }
            _ if error.is_retryable() => Self::busy(code, error.to_string()),
            _ => Self { code, ..Self::internal(error.to_string()) },
        }
    }
}

impl From<BrokerError> for ApiError {
    fn from(error: BrokerError) -> Self {
        let code = error.code();
        if error.is_retryable() {
            Self::busy(code, error.to_string())
        } else {
            Self { code, ..Self::internal(error.to_string()) }
        }
    }
}

impl From<PathError> for ApiError {
    fn from(error: PathError) -> Self {
        match error {
            PathError::Store(error) => error.into(),
            PathError::Broker(error) => error.into(),
        }
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        let Rejection { code, message, field, retry_after, fault, id } = rejection;
        let error = match fault {
            Fault::Invalid => Self::new(StatusCode::BAD_REQUEST, code, message),
            Fault::TooLarge => Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, message),
            Fault::Forbidden => Self::new(StatusCode::FORBIDDEN, code, message),
            Fault::Conflict => Self::new(StatusCode::CONFLICT, code, message),
            Fault::Busy => Self::busy(code, message),
            Fault::Internal => Self { code, ..Self::internal(message) },
        };
        Self { field, id, retry_after: retry_after.or(error.retry_after), ..error }
    }
}

impl From<Unread> for ApiError {
    fn from(unread: Unread) -> Self {
        Rejection::from(unread).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status;
        let code = ErrorCode(self.code);
        let retry_after = self.seconds();
        let mut response = (status, Json(self.view())).into_response();
        response.extensions_mut().insert(code);
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
