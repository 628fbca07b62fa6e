//! When a service wants to be asked again, in all the ways that services write it.

use std::time::Duration;

use serde_json::Value;

use clawpool_core::task::Timestamp;

/// No service means longer; a number beyond it is a mistake.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A number of seconds, or text. What is no such time is `None`.
pub(super) fn of_value(value: &Value, now: Timestamp) -> Option<Duration> {
    match value {
        Value::Number(seconds) => of_seconds(seconds.as_f64()?),
        Value::String(text) => of_text(text, now),
        _ => None,
    }
}

/// `120`, `2s`, `PT2S`, an HTTP date or an RFC 3339 time. A time that has passed means now.
pub(super) fn of_text(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let span = text.parse().ok().and_then(of_seconds);
    let span = span.or_else(|| humantime::parse_duration(text).ok());
    let span = span.or_else(|| text.parse::<jiff::SignedDuration>().ok()?.try_into().ok());
    span.or_else(|| of_time(text, now)).filter(|span| *span <= LONGEST)
}

fn of_seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|span| *span <= LONGEST)
}

fn of_time(text: &str, now: Timestamp) -> Option<Duration> {
    let http = || jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    let time = text.parse::<jiff::Timestamp>().ok().or_else(http)?;
    Some(Timestamp::from_millis(u64::try_from(time.as_millisecond()).unwrap_or_default()).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    const NOW: Timestamp = Timestamp::from_millis(784_111_777_000);

    #[test]
    fn seconds_spans_and_times() {
        for (text, seconds) in [
            ("120", 120),
            (" 120 ", 120),
            ("2s", 2),
            ("1m 30s", 90),
            ("PT2S", 2),
            ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
            ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
            ("1994-11-06T08:50:37Z", 60),
        ] {
            assert_eq!(of_text(text, NOW), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(of_value(&Value::from(1.5), NOW), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["soon", "-1", "", "NaN", "inf", "1e30", "-PT2S", "99999999999999999999999"] {
            assert_eq!(of_text(text, NOW), None, "{text}");
        }
        for value in [Value::Null, Value::from(-1), Value::from(1e30), Value::Bool(true)] {
            assert_eq!(of_value(&value, NOW), None, "{value}");
        }
    }
}
