//! What programs and web services answer.

use std::time::Duration;

use serde::Deserialize;

use crate::task::{ErrorClass, Failure, Payload, span};

/// The result: a JSON document, or nothing, which means null.
pub(super) fn result(source: &str, body: &[u8]) -> Result<Payload, Failure> {
    if body.trim_ascii().is_empty() {
        return Ok(Payload::null());
    }
    serde_json::from_slice(body).map_err(|error| {
        Failure::new(ErrorClass::Other, format!("{source} is not JSON ({error}); it begins with {}", excerpt(body)))
    })
}

pub(super) fn excerpt(body: &[u8]) -> String {
    const SHOWN: usize = 80;
    let start = &body[..body.len().min(SHOWN)];
    format!("\"{}\"{}", start.escape_ascii(), if body.len() > SHOWN { "…" } else { "" })
}

/// `{"error": {"class": "rate_limit", "message": "…", "retry_after": "2s"}}`: a handler's own words on why it failed.
#[derive(Deserialize)]
pub(super) struct ErrorReply {
    error: Reported,
}

#[derive(Deserialize)]
struct Reported {
    /// Text rather than the class itself: services have error documents of the same shape with words of their own.
    class: Option<String>,
    message: Option<String>,
    #[serde(default, with = "span::option")]
    retry_after: Option<Duration>,
    #[serde(default)]
    fatal: bool,
}

impl ErrorReply {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// `failure`, put more precisely.
    pub(super) fn refine(self, failure: &Failure) -> Failure {
        let Reported { class, message, retry_after, fatal } = self.error;
        let class = class.and_then(|name| name.parse::<ErrorClass>().ok()).unwrap_or(failure.class);
        let message = message.map_or_else(|| failure.message.clone(), |said| format!("{said} ({})", failure.message));
        let mut refined = Failure::new(class, message);
        refined.fatal = failure.fatal || fatal;
        refined.retry_after = failure.retry_after.or(retry_after);
        refined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_or_nothing_is_a_result() {
        assert!(result("stdout", b" \n").unwrap().is_null());
        assert_eq!(result("stdout", b"[1, 2]\n").unwrap(), Payload::encode(&[1, 2]).unwrap());
        let refused = result("stdout", b"Hello \xff world").unwrap_err();
        assert_eq!(refused.class, ErrorClass::Other);
        assert!(refused.message.contains(r#"it begins with "Hello \xff world""#), "{refused}");
        assert!(result("stdout", b"1 2").is_err(), "one document, not two");
    }

    #[test]
    fn an_error_reply_says_it_more_precisely() {
        let plain = Failure::new(ErrorClass::Other, "exit code 1");
        let reply =
            ErrorReply::read(br#"{"error":{"class":"rate_limit","message":"slow down","retry_after":"2s"}}"#).unwrap();
        let expected =
            Failure::new(ErrorClass::RateLimit, "slow down (exit code 1)").retry_after(Duration::from_secs(2));
        assert_eq!(reply.refine(&plain), expected);
        let foreign = ErrorReply::read(br#"{"error":{"class":"Teapot","code":418}}"#).unwrap();
        assert_eq!(foreign.refine(&plain), plain);
        assert!(ErrorReply::read(b"{}").is_none());
    }
}
