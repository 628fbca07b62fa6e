//! The stream of events, as its readers have it.

mod held;
mod journal;
mod pictures;
mod stuck;
mod task;

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Server;
use clawpool_backends::store::{Entry, Topic};
use clawpool_core::task::Timestamp;

/// What a reader hears.
#[derive(Debug)]
struct Heard {
    id: Option<String>,
    name: String,
    data: Value,
}

/// Reads one stream.
struct Listener {
    response: Response,
    rest: String,
}

/// Nothing takes so long on any machine.
const GUARD: Duration = Duration::from_secs(120);

impl Listener {
    async fn open(server: &Server, query: &str) -> Self {
        Self::of(server.request(Method::GET, &format!("/v1/events?{query}")).send().await.unwrap()).await
    }

    /// The same after this event, as a browser asks that has lost its stream.
    async fn after(server: &Server, query: &str, id: &str) -> Self {
        let request = server.request(Method::GET, &format!("/v1/events?{query}"));
        Self::of(request.header("last-event-id", id).send().await.unwrap()).await
    }

    async fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200, "{:?}", response.text().await);
        let header = |name| response.headers()[name].to_str().unwrap();
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!((header("cache-control"), header("x-accel-buffering")), ("no-store", "no"));
        let mut listener = Self { response, rest: String::new() };
        let open = listener.next().await.unwrap();
        assert_eq!((&*open.name, &open.data["type"]), ("open", &json!("open")));
        listener
    }

    /// None at the end.
    async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let heard = heard(block);
                self.rest = rest.to_owned();
                if heard.is_some() {
                    return heard;
                }
                continue;
            }
            let chunk = timeout(GUARD, self.response.chunk()).await.expect("silence").unwrap()?;
            self.rest.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next one of this name; others are passed over.
    async fn named(&mut self, name: &str) -> Heard {
        loop {
            let heard = self.next().await.expect("the stream ended");
            if heard.name == name {
                return heard;
            }
        }
    }
}

/// None: a comment.
fn heard(block: &str) -> Option<Heard> {
    let field = |name: &str| {
        block.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
    };
    let data: Value = serde_json::from_str(&field("data")?).unwrap();
    let name = field("event").unwrap();
    assert_eq!(data["type"], json!(name));
    assert!(data["at_ms"].as_u64().is_some_and(|at| at > 0), "{data}");
    Some(Heard { id: field("id"), name, data })
}

/// An entry of the journal that says its number.
fn restart(number: usize) -> Entry {
    let at = Timestamp::from_millis(1_700_000_000_000 + number as u64);
    Entry { topic: Topic::Restart, at, subject: "main".into(), body: json!({ "after": number }) }
}

fn number(heard: &Heard) -> usize {
    heard.data["item"]["after"].as_u64().unwrap_or_else(|| panic!("{heard:?}")) as usize
}
