//! W3C trace context: where in a trace a task belongs.
//!
//! Each step of a task has a span whose id is computed from the task, so that all processes know it and none
//! has to be told.

use std::{collections::HashSet, fmt, str::FromStr};

use super::{Task, TaskId};

/// A `traceparent`: one span of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// Never zero.
    pub trace_id: u128,
    /// Never zero.
    pub span_id: u64,
    /// Of these, `SAMPLED` and `RANDOM` are passed on.
    flags: u8,
}

/// This is no `traceparent` of the W3C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no W3C traceparent: write 00-<32 hex digits>-<16 hex digits>-<2 hex digits>")]
pub struct BadTraceparent;

/// Who began the trace records it.
const SAMPLED: u8 = 1;
/// The lower half of the trace's id is random.
const RANDOM: u8 = 2;
/// Of the fields of version 00, with their dashes.
const LENGTH: usize = 55;

/// What `tracestate` may have: members, and bytes in all.
const MOST_MEMBERS: usize = 32;
const MOST_BYTES: usize = 512;

impl FromStr for TraceContext {
    type Err = BadTraceparent;

    /// Version 00, and what later versions have in common with it.
    fn from_str(text: &str) -> Result<Self, BadTraceparent> {
        let (known, rest) = text.split_at_checked(LENGTH).ok_or(BadTraceparent)?;
        let mut fields = known.split('-');
        let mut next = |digits| fields.next().and_then(|field| hex(field, digits)).ok_or(BadTraceparent);
        let version = next(2)?;
        let trace_id = next(32)?;
        let span_id = u64::try_from(next(16)?).map_err(|_| BadTraceparent)?;
        let flags = u8::try_from(next(2)?).map_err(|_| BadTraceparent)?;
        let is_whole = rest.is_empty() || version > 0 && rest.starts_with('-');
        if version == 0xff || trace_id == 0 || span_id == 0 || !is_whole {
            return Err(BadTraceparent);
        }
        Ok(Self { trace_id, span_id, flags: flags & (SAMPLED | RANDOM) })
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// Lower case alone, as many digits as this.
fn hex(field: &str, digits: usize) -> Option<u128> {
    let is_hex = field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if field.len() == digits && is_hex { u128::from_str_radix(field, 16).ok() } else { None }
}

impl TraceContext {
    /// The producer's span, where the task has one.
    pub fn of_producer(task: &Task) -> Option<Self> {
        task.trace.as_ref()?.parse().ok()
    }

    /// The trace of a task whose producer has none. It has the task's id; its only span is that of the
    /// enqueue.
    pub fn root(id: TaskId, is_sampled: bool) -> Self {
        let flags = if is_sampled { SAMPLED } else { 0 };
        Self { trace_id: u128::from_be_bytes(*id.as_bytes()), span_id: enqueue_span(id), flags }
    }

    /// Another span of the same trace.
    #[must_use]
    pub const fn child(self, span_id: u64) -> Self {
        Self { span_id, ..self }
    }

    /// Whether its spans are to be recorded.
    pub const fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }
}

/// The span of a task's enqueue.
pub fn enqueue_span(id: TaskId) -> u64 {
    span(id, 1, 0)
}

/// The span of the wait before the attempt that has this fencing token.
pub fn wait_span(id: TaskId, token: u64) -> u64 {
    span(id, 2, token)
}

/// The span of the attempt that has this fencing token.
pub fn attempt_span(id: TaskId, token: u64) -> u64 {
    span(id, 3, token)
}

/// A number from 0 to 1, always the same for a task: by it each process decides alike whether it is traced.
#[allow(clippy::cast_precision_loss)]
pub fn chance(id: TaskId) -> f64 {
    (span(id, 4, 0) >> 11) as f64 / (1_u64 << 53) as f64
}

#[allow(clippy::cast_possible_truncation)]
fn span(id: TaskId, step: u64, number: u64) -> u64 {
    let id = u128::from_be_bytes(*id.as_bytes());
    let halves = [(id >> 64) as u64, id as u64, step, number];
    halves.into_iter().fold(0, |mixed, half| mix(mixed ^ half)).max(1)
}

/// The finish of splitmix64: each bit of the input changes about half of the output's.
const fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Whether this may stand in `tracestate`.
pub fn is_tracestate(text: &str) -> bool {
    let members: Vec<&str> = text
        .split(',')
        .map(|member| member.trim_matches([' ', '\t']))
        .filter(|member| !member.is_empty())
        .collect();
    let keys: Option<HashSet<&str>> = members.iter().map(|member| key(member)).collect();
    text.len() <= MOST_BYTES
        && members.len() <= MOST_MEMBERS
        && keys.is_some_and(|keys| keys.len() == members.len())
}

/// Of a member that is as it must be.
fn key(member: &str) -> Option<&str> {
    let (key, value) = member.split_once('=')?;
    let first = key.bytes().next()?;
    let is_key = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    let is_value = |byte| matches!(byte, b' '..=b'~') && byte != b'=';
    let fits = (first.is_ascii_lowercase() || first.is_ascii_digit())
        && key.len() <= 256
        && key.bytes().all(is_key)
        && !value.is_empty()
        && value.len() <= 256
        && value.bytes().all(is_value);
    fits.then_some(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn context() -> impl Strategy<Value = TraceContext> {
        (1..=u128::MAX, 1..=u64::MAX, 0..=3_u8).prop_map(|(trace_id, span_id, flags)| TraceContext {
            trace_id,
            span_id,
            flags,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(context in context()) {
            prop_assert_eq!(context.to_string().len(), LENGTH);
            prop_assert_eq!(context.to_string().parse(), Ok(context));
        }

        #[test]
        fn no_text_is_too_strange_and_what_is_read_can_be_written(text in "\\PC{0,80}|[0-9a-f-]{50,60}") {
            if let Ok(context) = text.parse::<TraceContext>() {
                prop_assert_eq!(context.to_string().parse(), Ok(context));
            }
            is_tracestate(&text);
        }

        /// One digit changed to something that is none, or one taken out.
        #[test]
        fn one_wrong_letter_spoils_it(context in context(), at in 0..LENGTH, wrong in "[A-Zg-z é_]") {
            let text = context.to_string();
            let (before, after) = (&text[..at], &text[at + 1..]);
            for spoilt in [format!("{before}{wrong}{after}"), format!("{before}{after}")] {
                prop_assert!(spoilt.parse::<TraceContext>().is_err(), "{}", spoilt);
            }
        }

        #[test]
        fn a_child_is_in_the_same_trace_and_as_much_recorded(context in context(), token: u64) {
            let id = TaskId::new();
            let child = context.child(attempt_span(id, token));
            prop_assert_eq!(child.trace_id, context.trace_id);
            prop_assert_eq!(child.is_sampled(), context.is_sampled());
            let text = child.to_string();
            prop_assert_eq!(text.parse(), Ok(child));
            let spans = [attempt_span(id, token), wait_span(id, token), enqueue_span(id),
                attempt_span(id, token.wrapping_add(1))];
            prop_assert_eq!(HashSet::from(spans).len(), spans.len());
        }
    }

    #[test]
    fn the_w3cs_cases_of_traceparent() {
        let good = |text: &str| text.parse::<TraceContext>().is_ok();
        assert!(good(PARENT));
        assert!(good(&PARENT.replacen("00", "cc", 1)), "a later version");
        assert!(good(&format!("cc{}-what-the-future-brings", &PARENT[2..])));
        assert!(!good(&format!("cc{}.what", &PARENT[2..])));
        assert!(!good(&format!("{PARENT}-more")), "version 00 has four fields");
        assert!(!good(&PARENT.replacen("00", "ff", 1)));
        assert!(!good(&PARENT.to_uppercase()));
        assert!(!good(&PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32))));
        assert!(!good(&PARENT.replace("00f067aa0ba902b7", &"0".repeat(16))));
        assert!(!good(&format!(" {PARENT}")) && !good("") && !good("00-1-2-3"));
        assert!(!PARENT.replace("-01", "-00").parse::<TraceContext>().unwrap().is_sampled());
        let flags = PARENT.replace("-01", "-ff").parse::<TraceContext>().unwrap();
        assert!(flags.to_string().ends_with("-03"), "flags that nobody knows are not passed on");
    }

    #[test]
    fn the_w3cs_cases_of_tracestate() {
        for good in ["", "rojo=00f067aa0ba902b7", "a=1,b=2", "a=1 ,\t b=2", "a=1,,b=2", "fw529a3039@dt=x y"] {
            assert!(is_tracestate(good), "{good:?}");
        }
        let many = (0..33).map(|number| format!("k{number}=1")).collect::<Vec<_>>().join(",");
        let long = format!("a={},b={0},c={0}", "x".repeat(250));
        for bad in ["a", "=1", "a=", "A=1", "a=1=2", "a=1,a=2", "a=é", "@a=1", &many, &long] {
            assert!(!is_tracestate(bad), "{bad:?}");
        }
    }

    #[test]
    fn the_trace_of_a_task_without_a_producers_has_its_id() {
        let id = TaskId::new();
        let root = TraceContext::root(id, true);
        assert!(root.to_string().contains(&id.to_string().replace('-', "")));
        assert_eq!((root.span_id, root.is_sampled()), (enqueue_span(id), true));
    }
}
