use std::time::Duration;

use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};

use crate::task::{ErrorClass, Timestamp};

/// The row of the retry table for a status (spec S9), and whether no retry can help.
pub(super) const fn class(status: StatusCode) -> (ErrorClass, bool) {
    match status.as_u16() {
        408 | 504 => (ErrorClass::Timeout, false),
        429 => (ErrorClass::RateLimit, false),
        500 | 502 | 503 => (ErrorClass::ServiceUnavailable, false),
        401 | 403 => (ErrorClass::Authentication, false),
        400 | 404 | 422 => (ErrorClass::Validation, false),
        300..=399 => (ErrorClass::Configuration, false),
        400..=499 => (ErrorClass::Other, true),
        _ => (ErrorClass::Other, false),
    }
}

/// Seconds or an HTTP date. A date that has passed means now.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp::from_millis(u64::try_from(date.as_millisecond()).unwrap_or_default()).since(now))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn each_status_has_its_row() {
        let rows = [
            (301, ErrorClass::Configuration, false),
            (400, ErrorClass::Validation, false),
            (401, ErrorClass::Authentication, false),
            (403, ErrorClass::Authentication, false),
            (404, ErrorClass::Validation, false),
            (408, ErrorClass::Timeout, false),
            (409, ErrorClass::Other, true),
            (410, ErrorClass::Other, true),
            (422, ErrorClass::Validation, false),
            (429, ErrorClass::RateLimit, false),
            (500, ErrorClass::ServiceUnavailable, false),
            (501, ErrorClass::Other, false),
            (502, ErrorClass::ServiceUnavailable, false),
            (503, ErrorClass::ServiceUnavailable, false),
            (504, ErrorClass::Timeout, false),
        ];
        for (code, expected, fatal) in rows {
            assert_eq!(class(StatusCode::from_u16(code).unwrap()), (expected, fatal), "{code}");
        }
    }

    fn asked(text: &'static str) -> Option<Duration> {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = Timestamp::from_millis(784_111_777_000);
        retry_after(&[(RETRY_AFTER, HeaderValue::from_static(text))].into_iter().collect(), now)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        for nonsense in ["soon", "-1", "", "99999999999999999999999"] {
            assert_eq!(asked(nonsense), None, "{nonsense}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), Timestamp::now()), None);
    }
}
