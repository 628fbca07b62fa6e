use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use clawpool_core::task::TaskId;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};

use super::in_time;

/// A web service that does the tasks' work and writes down every attempt, in the order in which they came. It
/// is the witness: what it says of a task does not depend on anything that the pool believes.
#[derive(Clone)]
pub struct Ledger {
    pub url: String,
    entries: Arc<Mutex<Vec<Entry>>>,
    count: watch::Sender<usize>,
    open: watch::Sender<HashSet<String>>,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub id: TaskId,
    pub attempt: u32,
    pub event: Event,
    pub at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Start,
    Done,
    Failed,
    /// The worker went away before it had its answer.
    Broken,
}

#[derive(Deserialize)]
struct Request {
    id: TaskId,
    attempt: u32,
    payload: Step,
}

/// What a task asks for in its payload.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Step {
    ms: u64,
    /// The first attempts that are answered 503.
    failures: u32,
    /// Answered to every attempt, in place of 200.
    status: Option<u16>,
    /// No answer before [`Ledger::open`] with this name.
    hold: Option<String>,
    note: Option<Value>,
}

impl Ledger {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let ledger =
            Self { url, entries: Arc::default(), count: watch::Sender::default(), open: Default::default() };
        let router = Router::new().route("/", post(work)).with_state(ledger.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        ledger
    }

    /// Lets the tasks go on that hold for `name`, now and later.
    pub fn open(&self, name: &str) {
        self.open.send_modify(|open| {
            open.insert(name.to_owned());
        });
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }

    /// How often something happened to a task.
    pub fn times(&self, id: TaskId, event: Event) -> usize {
        self.entries.lock().unwrap().iter().filter(|entry| entry.id == id && entry.event == event).count()
    }

    /// The attempt numbers of a task's starts.
    pub fn attempts(&self, id: TaskId) -> Vec<u32> {
        let entries = self.entries.lock().unwrap();
        entries
            .iter()
            .filter(|entry| entry.id == id && entry.event == Event::Start)
            .map(|entry| entry.attempt)
            .collect()
    }

    /// Waits until the entries are as the caller wants them.
    pub async fn until(&self, what: &str, mut wanted: impl FnMut(&[Entry]) -> bool) {
        let mut count = self.count.subscribe();
        let arrived = count.wait_for(|_| wanted(&self.entries.lock().unwrap()));
        in_time(&format!("the ledger: {what}"), arrived).await.unwrap();
    }

    /// Waits until `event` has happened to the task `times` times.
    pub async fn happened(&self, id: TaskId, event: Event, times: usize) {
        let count =
            |entries: &[Entry]| entries.iter().filter(|entry| entry.id == id && entry.event == event).count();
        self.until(&format!("{event:?} of {id}, {times} times"), |entries| count(entries) >= times).await;
    }

    fn note(&self, id: TaskId, attempt: u32, event: Event) -> usize {
        let mut entries = self.entries.lock().unwrap();
        entries.push(Entry { id, attempt, event, at: Instant::now() });
        let count = entries.len();
        drop(entries);
        self.count.send_replace(count);
        count
    }
}

async fn work(
    State(ledger): State<Ledger>,
    Json(Request { id, attempt, payload }): Json<Request>,
) -> Response {
    let number = ledger.note(id, attempt, Event::Start);
    let mut open = Open { ledger: &ledger, id, attempt, event: Event::Broken };
    if let Some(name) = &payload.hold {
        let _ = ledger.open.subscribe().wait_for(|open| open.contains(name)).await;
    }
    tokio::time::sleep(Duration::from_millis(payload.ms)).await;
    let status = match payload.status {
        Some(status) => StatusCode::from_u16(status).unwrap(),
        None if attempt <= payload.failures => StatusCode::SERVICE_UNAVAILABLE,
        None => StatusCode::OK,
    };
    open.event = if status.is_success() { Event::Done } else { Event::Failed };
    (status, Json(json!({ "start": number, "note": payload.note }))).into_response()
}

/// Writes down how an attempt ended, also when the server drops it because its client has gone.
struct Open<'a> {
    ledger: &'a Ledger,
    id: TaskId,
    attempt: u32,
    event: Event,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.ledger.note(self.id, self.attempt, self.event);
    }
}
