//! Tasks, the latest first: those that the address asks for.

use askama::Template;
use axum::http::StatusCode;
use clawpool_backends::store::{Record, Waiting};
use clawpool_core::{
    config::Scope,
    task::{State, Timestamp},
};
use clawpool_engine::client::lists::TasksView;

use super::{
    PAGE,
    filter::{Filter, TASKS},
};
use crate::dashboard::{
    form::part,
    layout::Layout,
    register::Shown,
    requests::lead,
    visit::Visit,
    words::{self, When},
};

#[derive(Template)]
#[template(path = "tasks.html")]
struct Tasks {
    layout: Layout,
    filter: Filter,
    states: Vec<StateOption>,
    trouble: Option<String>,
    rows: Vec<Line>,
    newest: Option<String>,
    older: Option<String>,
    hidden: u64,
    /// The chosen ones, and all that match, can be changed.
    may_operate: bool,
    command: String,
}

struct StateOption {
    name: &'static str,
    is_chosen: bool,
}

pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) end: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) class: &'static str,
    pub(crate) queue: String,
    pub(crate) tenant: String,
    pub(crate) attempt: String,
    pub(crate) enqueued: When,
    pub(crate) took: String,
    pub(crate) news: String,
    pub(crate) can_change: bool,
}

pub(crate) async fn show(visit: &Visit) -> Shown {
    if let Some(id) = visit.query.text("id") {
        return Ok(lead(&format!("/tasks/{}", part(id))));
    }
    let filter = Filter::read(&visit.query, &TASKS);
    let asked = filter.address("/v1/tasks").with("cursor", visit.query.text("cursor"));
    let asked = asked.with("limit", Some(PAGE.to_string())).text();
    // What somebody wrote into the form is told beside the form.
    let (found, trouble) = match visit.get::<TasksView>(&asked).await {
        Ok(found) => (Some(found), None),
        Err(refusal) if [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND].contains(&refusal.status) => {
            (None, Some(refusal.view.message))
        }
        Err(refusal) if refusal.view.field.as_deref() == Some("tenant") => (None, Some(refusal.view.message)),
        Err(refusal) => return Err(refusal),
    };
    let older = found.as_ref().and_then(|found| found.next.as_ref());
    let older = older.map(|next| filter.address("/tasks").with("cursor", Some(next)).text());
    let chosen = filter.value("state");
    let page = Tasks {
        layout: visit.layout("Tasks"),
        states: State::ALL
            .map(|state| StateOption { name: state.name(), is_chosen: state.name() == chosen })
            .into(),
        trouble,
        hidden: found.as_ref().map(|found| found.hidden).unwrap_or_default(),
        rows: found.iter().flat_map(|found| &found.items).map(line).collect(),
        newest: visit.query.is_set("cursor").then(|| filter.address("/tasks").text()),
        older,
        may_operate: visit.may(Scope::Operate),
        command: format!(
            "clawpool tasks list{}",
            if filter.is_empty() { String::new() } else { filter.flags() }
        ),
        filter,
    };
    visit.answer(&page)
}

/// The colour of a state.
pub(crate) const fn class(state: State) -> &'static str {
    match state {
        State::Scheduled => "later",
        State::Queued => "wait",
        State::Running => "run",
        State::Completed => "good",
        State::Dead => "bad",
        State::Cancelled => "off",
    }
}

/// A state in one word; of a scheduled task what for.
pub(crate) fn state(record: &Record) -> String {
    match record.waiting {
        Some(Waiting::Retrying) => "retrying".to_owned(),
        _ => record.state.name().to_owned(),
    }
}

pub(crate) fn line(record: &Record) -> Line {
    let id = record.id.to_string();
    Line {
        end: words::end(record.id),
        id,
        kind: record.kind.clone(),
        state: state(record),
        class: if record.waiting == Some(Waiting::Retrying) { "warn" } else { class(record.state) },
        queue: record.queue.name().to_owned(),
        tenant: record.tenant.clone().unwrap_or_default(),
        attempt: attempts(record),
        enqueued: When(record.enqueued_at),
        took: took(record),
        news: news(record),
        can_change: !record.state.is_final(),
    }
}

fn attempts(record: &Record) -> String {
    let done = match record.state {
        State::Completed | State::Running => record.attempt + 1,
        _ => record.attempt,
    };
    match record.crashes {
        0 => done.to_string(),
        crashes => format!("{done} + {crashes} crashes"),
    }
}

fn took(record: &Record) -> String {
    let between = |from: Timestamp, to: Timestamp| words::span(to.since(from));
    match (record.state, record.started_at, record.finished_at) {
        (State::Running, Some(started), _) => between(started, Timestamp::now()),
        (_, Some(started), Some(finished)) => between(started, finished),
        _ => String::new(),
    }
}

/// What there is to say: its progress, when it is due, why it failed.
fn news(record: &Record) -> String {
    let failure = record.failure.as_ref().map(|failure| format!("{}: {}", failure.class, failure.summary()));
    let told = match record.state {
        State::Running => record.progress.clone().or(failure),
        State::Scheduled => {
            let due = record.due_at.map(|due| format!("due {}", When(due).near()));
            Some([due, failure].into_iter().flatten().collect::<Vec<_>>().join("; "))
        }
        State::Completed => None,
        _ => failure,
    };
    words::first_line(&told.unwrap_or_default(), 140)
}
