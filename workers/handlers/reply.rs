//! What programs and web services answer.
//!
//! Guarantees: an answer that says "done" is done, whatever its text; of an error document each field that
//! can be read is used, whatever stands beside it. Never does: fail an attempt because of an answer's form.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::retry_after;
use clawpool_core::task::{ErrorClass, Failure, Payload, Timestamp, without_mark};

/// The result: the JSON document; null for silence; other text as it is, without its last line's end; other
/// bytes as they are.
pub(super) fn result(body: &[u8]) -> Result<Payload, Failure> {
    let body = without_mark(body);
    if body.trim_ascii().is_empty() {
        return Ok(Payload::null());
    }
    if let Ok(document) = serde_json::from_slice(body) {
        return Ok(document);
    }
    let kept = match std::str::from_utf8(body) {
        Ok(text) => Payload::encode(text.trim_end_matches(['\r', '\n'])),
        Err(_) => Payload::encode(serde_bytes::Bytes::new(body)),
    };
    kept.map_err(|error| Failure::new(ErrorClass::Other, format!("the answer cannot be kept: {error}")))
}

pub(super) fn excerpt(body: &[u8]) -> String {
    const SHOWN: usize = 80;
    let start = &body[..body.len().min(SHOWN)];
    format!("\"{}\"{}", start.escape_ascii(), if body.len() > SHOWN { "…" } else { "" })
}

/// `{"error": {"class": "rate_limit", "message": "…", "retry_after": "2s"}}`: a handler's own words on why it
/// failed.
#[derive(Deserialize)]
pub(super) struct ErrorReply {
    /// Values rather than types: services have error documents of the same shape with words of their own.
    error: Map<String, Value>,
}

impl ErrorReply {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(without_mark(body)).ok()
    }

    /// `failure`, put more precisely.
    pub(super) fn refine(&self, failure: &Failure) -> Failure {
        let class =
            self.text("class").and_then(|name| name.parse::<ErrorClass>().ok()).unwrap_or(failure.class);
        let message = self
            .text("message")
            .map_or_else(|| failure.message.clone(), |said| format!("{said} ({})", failure.message));
        let mut refined = Failure::new(class, message).of_program(failure);
        refined.fatal = failure.fatal || self.error.get("fatal") == Some(&Value::Bool(true));
        let asked = self.error.get("retry_after");
        let own = asked.and_then(|asked| retry_after::of_value(asked, Timestamp::now()));
        refined.retry_after = failure.retry_after.or(own);
        refined
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.error.get(field)?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn whatever_was_answered_is_the_result() {
        let text = |said: &str| Payload::encode(said).unwrap();
        assert!(result(b" \n").unwrap().is_null());
        assert_eq!(result(b"[1, 2]\n").unwrap(), Payload::encode(&[1, 2]).unwrap());
        assert_eq!(result(b"OK").unwrap(), text("OK"));
        assert_eq!(result(b"Done\r\n").unwrap(), text("Done"));
        assert_eq!(result(b"1 2").unwrap(), text("1 2"), "text, because it is not one document");
        assert_eq!(result(b"Hello \xff").unwrap().as_message_pack().as_ref(), b"\xc4\x07Hello \xff");
    }

    #[test]
    fn a_byte_order_mark_costs_nothing() {
        let marked = |text: &str| format!("\u{feff}{text}").into_bytes();
        assert_eq!(result(&marked("[1]")).unwrap(), Payload::encode(&[1]).unwrap());
        assert!(result(&marked("\r\n")).unwrap().is_null());
        let reply = ErrorReply::read(&marked(r#"{"error": {"class": "timeout"}}"#)).unwrap();
        assert_eq!(reply.refine(&Failure::new(ErrorClass::Other, "exit code 1")).class, ErrorClass::Timeout);
    }

    fn refined(document: &str) -> Failure {
        ErrorReply::read(document.as_bytes()).unwrap().refine(&Failure::new(ErrorClass::Other, "exit code 1"))
    }

    #[test]
    fn an_error_reply_says_it_more_precisely() {
        let said = refined(r#"{"error":{"class":"rate_limit","message":"slow down","retry_after":"2s"}}"#);
        let expected = Failure::new(ErrorClass::RateLimit, "slow down (exit code 1)")
            .retry_after(Duration::from_secs(2));
        assert_eq!(said, expected);
        assert!(refined(r#"{"error":{"fatal":true}}"#).fatal);
        assert!(ErrorReply::read(b"{}").is_none());
    }

    #[test]
    fn an_odd_field_costs_no_other() {
        for odd in ["-1", "1e30", "\"soon\"", "[]", "null", "true", "\"\"", "99999999999999999999999"] {
            let said = refined(&format!(
                r#"{{"error":{{"class":"rate_limit","message":"slow down","retry_after":{odd}}}}}"#
            ));
            assert_eq!(said, Failure::new(ErrorClass::RateLimit, "slow down (exit code 1)"), "{odd}");
        }
        let said =
            refined(r#"{"error":{"class":"Teapot","code":418,"message":{"text":"no"},"retry_after":2}}"#);
        assert_eq!(said, Failure::new(ErrorClass::Other, "exit code 1").retry_after(Duration::from_secs(2)));
        let said = refined(r#"{"error":{"class":7,"message":"slow down","fatal":"yes"}}"#);
        assert_eq!(said, Failure::new(ErrorClass::Other, "slow down (exit code 1)"));
    }
}
