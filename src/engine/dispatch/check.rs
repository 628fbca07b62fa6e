//! The rules that single fields of a new task must keep. Each has its own stable code.

use std::time::Duration;

use humantime::format_duration;

use super::{Fault, Rejection};
use clawpool_core::{
    config::{Limits, RetryTable, nearest},
    task::{
        NewTask, TaskId, TraceContext,
        proof::{self, Unfit},
        strange_character,
        trace::is_tracestate,
    },
};

/// Every rule that needs nothing but the field itself and the limits.
pub(super) fn fields(task: &NewTask, limits: &Limits, retry: &RetryTable) -> Result<(), Rejection> {
    id(task.id)?;
    kind(&task.kind, limits.name)?;
    name("tenant", task.tenant.as_deref(), limits.name)?;
    name("session", task.session.as_deref(), limits.name)?;
    name("unique_key", task.unique_key.as_deref(), limits.name)?;
    payload(task, limits)?;
    meta(task, limits)?;
    attempts(task.max_attempts, limits.attempts)?;
    policy(task.retry.as_deref(), retry)?;
    timeout(task.timeout, limits.timeout)?;
    trace(task.trace.as_deref())?;
    trace_state(task.trace_state.as_deref())?;
    result_ttl(task.result_ttl, limits.result_ttl)
}

/// An id of all zeros is a variable that was never set; taking it would answer every later task with the
/// first one.
fn id(id: Option<TaskId>) -> Result<(), Rejection> {
    if id.is_some_and(|id| *id.as_bytes() == [0; 16]) {
        return Err(Rejection::invalid(
            "CP-1118",
            "id",
            "the id is all zeros: send a UUID of its own, or none",
        ));
    }
    Ok(())
}

fn kind(kind: &str, limit: u16) -> Result<(), Rejection> {
    if kind.is_empty() {
        return Err(Rejection::invalid("CP-1101", "kind", "a task needs a kind, for example \"email.send\""));
    }
    too_long("kind", kind, limit)?;
    match strange_character(kind) {
        None => Ok(()),
        Some(c) => {
            let message =
                format!("{kind:?} contains {c:?}: a kind has ASCII letters, digits and . _ - : / only");
            Err(Rejection::invalid("CP-1102", "kind", message))
        }
    }
}

fn too_long(field: &str, text: &str, limit: u16) -> Result<(), Rejection> {
    if text.len() <= usize::from(limit) {
        return Ok(());
    }
    let message = format!("{} bytes are too many: {field} has at most {limit} (limits.name)", text.len());
    Err(Rejection::invalid("CP-1103", field, message))
}

fn name(field: &str, text: Option<&str>, limit: u16) -> Result<(), Rejection> {
    let Some(text) = text else { return Ok(()) };
    too_long(field, text, limit)?;
    if text.is_empty() || text.contains(char::is_control) {
        let message =
            format!("{text:?} is empty or has control characters: leave {field} out or give it a name");
        return Err(Rejection::invalid("CP-1104", field, message));
    }
    Ok(())
}

fn payload(task: &NewTask, limits: &Limits) -> Result<(), Rejection> {
    let bytes = task.payload.as_message_pack();
    if bytes.len() as u64 > limits.payload.as_u64() {
        let message = format!(
            "{} bytes are too many: a payload has at most {} as MessagePack (limits.payload); store it \
             elsewhere and send its address",
            bytes.len(),
            limits.payload
        );
        return Err(Rejection::invalid("CP-1105", "payload", message).with_fault(Fault::TooLarge));
    }
    proof::check(bytes, usize::from(limits.depth)).map_err(|unfit| {
        let message = unfit.to_string();
        match unfit {
            Unfit::Malformed(_) => Rejection::invalid("CP-1107", "payload", message),
            Unfit::TooDeep { .. } => {
                Rejection::invalid("CP-1106", "payload", format!("{message} (limits.depth)"))
            }
            Unfit::Changing { route, .. } => Rejection::changing(&route.within("payload"), message),
            Unfit::Repeated { route, .. } => Rejection::invalid("CP-1122", &route.within("payload"), message),
        }
    })
}

fn meta(task: &NewTask, limits: &Limits) -> Result<(), Rejection> {
    for (key, value) in &task.meta {
        name("meta", Some(key), limits.name)?;
        // What a value steers, a terminal would do.
        if value.contains(char::is_control) {
            let message = format!("{value:?} has control characters: a value of meta is a line of text");
            return Err(Rejection::invalid("CP-1104", &format!("meta.{key}"), message));
        }
    }
    let bytes: usize = task.meta.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes as u64 > limits.meta.as_u64() {
        let most = limits.meta;
        let message = format!("{bytes} bytes are too many: meta has at most {most} (limits.meta)");
        return Err(Rejection::invalid("CP-1103", "meta", message));
    }
    Ok(())
}

fn attempts(attempts: Option<u32>, limit: u32) -> Result<(), Rejection> {
    match attempts {
        Some(count) if count == 0 || count > limit => {
            let message = format!("{count} attempts: use 1 to {limit} (limits.attempts)");
            Err(Rejection::invalid("CP-1112", "max_attempts", message))
        }
        _ => Ok(()),
    }
}

fn policy(policy: Option<&str>, table: &RetryTable) -> Result<(), Rejection> {
    let Some(policy) = policy else { return Ok(()) };
    if table.0.contains_key(policy) {
        return Ok(());
    }
    let message = match nearest(policy, table.0.keys().map(String::as_str)) {
        Some(name) => format!("no retry policy is named {policy:?}: did you mean {name:?}?"),
        None => format!("no retry policy is named {policy:?}: name one of the section [retry]"),
    };
    Err(Rejection::invalid("CP-1113", "retry", message))
}

fn timeout(timeout: Option<Duration>, limit: Duration) -> Result<(), Rejection> {
    span("CP-1114", "timeout", timeout, Duration::from_millis(1), limit)
}

fn result_ttl(ttl: Option<Duration>, limit: Duration) -> Result<(), Rejection> {
    span("CP-1116", "result_ttl", ttl, Duration::ZERO, limit)
}

/// A duration within bounds; the limit is the configuration's `limits.<field>`.
pub(super) fn span(
    code: &'static str,
    field: &str,
    span: Option<Duration>,
    least: Duration,
    most: Duration,
) -> Result<(), Rejection> {
    match span {
        Some(span) if span < least || span > most => {
            let [span, least, most] = [span, least, most].map(format_duration);
            let message = format!("{span} is out of range: use {least} to {most} (limits.{field})");
            Err(Rejection::invalid(code, field, message))
        }
        _ => Ok(()),
    }
}

fn trace(trace: Option<&str>) -> Result<(), Rejection> {
    let Some(trace) = trace else { return Ok(()) };
    let Err(bad) = trace.parse::<TraceContext>() else { return Ok(()) };
    let shown: String = trace.chars().take(64).collect();
    Err(Rejection::invalid("CP-1115", "trace", format!("{shown:?} is {bad}")))
}

fn trace_state(state: Option<&str>) -> Result<(), Rejection> {
    let Some(state) = state.filter(|state| !is_tracestate(state)) else { return Ok(()) };
    let shown: String = state.chars().take(64).collect();
    let message = format!("{shown:?} is no W3C tracestate: write key=value,… with at most 512 bytes in all");
    Err(Rejection::invalid("CP-1115", "trace_state", message))
}
