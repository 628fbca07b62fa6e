use std::time::Duration;

use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};

use crate::retry_after::of_text;
use clawpool_core::task::{ErrorClass, Timestamp};

/// The row of the retry table for a status (spec S9), and whether no retry can help.
pub(crate) const fn class(status: StatusCode) -> (ErrorClass, bool) {
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

/// When the service wants to be asked again.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    of_text(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
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

    #[test]
    fn a_service_says_when_to_come_again() {
        let asked = |text| {
            retry_after(
                &[(RETRY_AFTER, HeaderValue::from_static(text))].into_iter().collect(),
                Timestamp::now(),
            )
        };
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), Timestamp::now()), None);
    }
}
