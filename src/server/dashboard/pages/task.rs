//! One task: what was sent, what became of each attempt, and what can be done.

use askama::Template;
use clawpool_core::{
    codes::Code,
    config::Scope,
    task::{Payload, State},
};
use clawpool_engine::client::task::{AttemptOutcome, AttemptView, LogsView, StoryView, TaskDetail};
use futures::try_join;

use super::{
    advice,
    tasks::{class, state},
};
use crate::dashboard::{
    form::part,
    layout::Layout,
    refusal::Refusal,
    register::Shown,
    tree::{self, Row},
    visit::Visit,
    words::{self, When, cut},
};

#[derive(Template)]
#[template(path = "task.html")]
struct Task {
    layout: Layout,
    id: String,
    kind: String,
    state: String,
    class: &'static str,
    is_over: bool,
    progress: String,
    facts: Vec<Fact>,
    advice: Option<&'static str>,
    payload: Vec<Row>,
    payload_about: String,
    editable: Option<String>,
    result: Vec<Row>,
    attempts: Vec<Attempt>,
    crashes: u32,
    logs: Vec<Log>,
    offers: Offers,
}

/// A name and what it is.
struct Fact {
    name: String,
    text: String,
    when: Option<When>,
    link: Option<String>,
}

/// What the visitor may do with this task now.
#[derive(Default)]
struct Offers {
    cancel: bool,
    run: bool,
    requeue: bool,
    discard: bool,
    again: bool,
    /// The payload is there to be edited.
    edit: bool,
}

struct Attempt {
    number: u32,
    outcome: String,
    class: &'static str,
    started: Option<When>,
    ended: Option<When>,
    wait: String,
    run: String,
    /// How long it waited and ran, of the longest of all attempts, for its bar.
    wait_share: u32,
    run_share: u32,
    worker: String,
    version: String,
    exit: String,
    error: Option<Error>,
}

struct Error {
    class: String,
    message: String,
    stderr: Vec<String>,
    fatal: bool,
    advice: &'static str,
    code: Option<Code>,
}

struct Log {
    attempt: u32,
    lines: Vec<LogLine>,
    left_out: usize,
}

struct LogLine {
    at: When,
    from: &'static str,
    text: String,
}

/// Lines of one attempt's log.
const LINES: usize = 500;
/// Letters of a message.
const MESSAGE: usize = 8_000;

pub(crate) async fn show(visit: &Visit) -> Shown {
    let path = format!("/v1/tasks/{}", part(visit.named()));
    let logs = format!("{path}/logs");
    let (detail, logs) = try_join!(visit.get::<TaskDetail>(&path), visit.get::<LogsView>(&logs))?;
    let offers = offers(visit, &detail);
    let TaskDetail { record, story } = &detail;
    let json = story.payload.as_ref().map(json_of).transpose()?;
    let page = Task {
        layout: visit.layout(format!("Task {}", words::end(record.id))),
        id: record.id.to_string(),
        kind: record.kind.clone(),
        state: state(record),
        class: class(record.state),
        is_over: record.state.is_final(),
        progress: record.progress.clone().map(|text| cut(&text, 500)).unwrap_or_default(),
        facts: facts(&detail),
        advice: story.dead_reason.map(advice::of_reason),
        payload: json.as_deref().map(rows).transpose()?.unwrap_or_default(),
        payload_about: about_payload(story),
        editable: json.as_deref().filter(|_| offers.edit).map(tree::editable),
        result: record.result.as_ref().map(|result| rows(&json_of(result)?)).transpose()?.unwrap_or_default(),
        attempts: attempts(&story.attempts),
        crashes: record.crashes,
        logs: logs.items.into_iter().map(log).collect(),
        offers,
    };
    visit.answer(&page)
}

fn json_of(payload: &Payload) -> Result<String, Refusal> {
    serde_json::to_string(payload).map_err(|error| Refusal::unreadable(&error))
}

fn rows(json: &str) -> Result<Vec<Row>, Refusal> {
    let value = serde_json::from_str(json).map_err(|error| Refusal::unreadable(&error))?;
    Ok(tree::rows(&value))
}

fn offers(visit: &Visit, detail: &TaskDetail) -> Offers {
    let record = &detail.record;
    let may_operate = visit.may(Scope::Operate);
    let is_own = visit.access.name.is_some() && visit.access.name == record.enqueued_by;
    let is_dead = record.state == State::Dead;
    let has_payload = detail.story.payload.is_some();
    let again = matches!(record.state, State::Completed | State::Cancelled)
        && visit.may(Scope::Enqueue)
        && has_payload;
    Offers {
        cancel: !record.state.is_final() && (may_operate || (is_own && visit.may(Scope::Enqueue))),
        run: record.state == State::Scheduled && may_operate,
        requeue: is_dead && may_operate,
        discard: is_dead && may_operate,
        again,
        edit: has_payload && (again || (is_dead && may_operate)),
    }
}

fn about_payload(story: &StoryView) -> String {
    let size = story.payload_bytes.map(|length| words::bytes(length as u64)).unwrap_or_default();
    match &story.payload_missing {
        Some(missing) if size.is_empty() => missing.clone(),
        Some(missing) => format!("{size}: {missing}"),
        None => size,
    }
}

fn facts(detail: &TaskDetail) -> Vec<Fact> {
    let TaskDetail { record, story } = detail;
    let text = |name: &str, text: Option<String>| {
        let text = text.filter(|text| !text.is_empty())?;
        Some(Fact { name: name.to_owned(), text: cut(&text, 1_000), when: None, link: None })
    };
    let when = |name: &str, at: Option<_>| {
        Some(Fact { name: name.to_owned(), text: String::new(), when: Some(When(at?)), link: None })
    };
    let queue = Fact {
        name: "Queue".to_owned(),
        text: format!("{} ({})", record.queue.name(), record.priority),
        when: None,
        link: Some(format!("/queues/{}", part(record.queue.name()))),
    };
    let mut facts = vec![
        Some(queue),
        when("Enqueued", Some(record.enqueued_at)),
        text("by", record.enqueued_by.clone()),
        when("Due", record.due_at),
        when("Started", record.started_at),
        when("Ended", record.finished_at),
        text("Attempts that failed", Some(record.attempt.to_string())),
        text("Worker", record.worker.map(|worker| worker.to_string())),
        text("Tenant", record.tenant.clone()),
        text("Session", story.session.clone()),
        text("Tier", story.tier.map(|tier| words::word(&tier))),
        text("Trace", story.trace.as_deref().map(trace_id)),
        text("Dead because", story.dead_reason.map(|reason| reason.to_string())),
    ];
    facts.extend(story.meta.iter().map(|(name, value)| text(&cut(name, 200), Some(value.clone()))));
    facts.into_iter().flatten().collect()
}

/// Of a W3C `traceparent`.
fn trace_id(parent: &str) -> String {
    parent.split('-').nth(1).unwrap_or(parent).to_owned()
}

fn attempts(views: &[AttemptView]) -> Vec<Attempt> {
    let spent = |view: &AttemptView| view.wait_ms.unwrap_or_default() + view.run_ms.unwrap_or_default();
    let longest = views.iter().map(spent).max().unwrap_or_default().max(1);
    views.iter().map(|view| attempt(view, longest)).collect()
}

fn attempt(view: &AttemptView, longest: u64) -> Attempt {
    let share = |millis: Option<u64>| {
        let share = millis.unwrap_or_default() as f64 / longest as f64 * 100.0;
        millis.filter(|millis| *millis > 0).map_or(0, |_| share.ceil() as u32)
    };
    let written = |millis: Option<u64>| millis.map(|millis| words::millis(millis as f64)).unwrap_or_default();
    Attempt {
        number: view.attempt,
        outcome: words::word(&view.outcome),
        class: match view.outcome {
            AttemptOutcome::Running => "run",
            AttemptOutcome::Completed => "good",
            AttemptOutcome::Retried => "warn",
            AttemptOutcome::Dead => "bad",
            AttemptOutcome::Cancelled => "off",
        },
        started: view.started_at.map(When),
        ended: view.ended_at.map(When),
        wait: written(view.wait_ms),
        run: written(view.run_ms),
        wait_share: share(view.wait_ms),
        run_share: share(view.run_ms),
        worker: view.worker.map(|worker| worker.to_string()).unwrap_or_default(),
        version: view.worker_version.clone().unwrap_or_default(),
        exit: view.exit.map(|exit| exit.to_string()).unwrap_or_default(),
        error: view.error.as_ref().map(|error| Error {
            class: error.class.to_string(),
            message: cut(&error.message, MESSAGE),
            stderr: error.stderr.iter().rev().map(|line| cut(line, MESSAGE)).collect(),
            fatal: error.fatal,
            advice: advice::of_class(error.class),
            code: advice::code_in(&error.message),
        }),
    }
}

fn log(view: clawpool_engine::client::task::AttemptLogView) -> Log {
    let left_out = view.lines.len().saturating_sub(LINES);
    let line = |line: clawpool_core::task::LogLine| LogLine {
        at: When(line.at),
        from: line.from.name(),
        text: cut(&line.text, 4_000),
    };
    Log { attempt: view.attempt, lines: view.lines.into_iter().skip(left_out).map(line).collect(), left_out }
}
