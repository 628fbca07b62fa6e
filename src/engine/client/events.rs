//! Follows the stream of events of a dispatcher.
//!
//! Guarantees: over lost connections and restarts it goes on after the last event that was heard, so that
//! none of the journal is missed or told twice. Never does: go on where the dispatcher refuses it.

use std::{collections::VecDeque, time::Duration};

use reqwest::{Response, StatusCode, header};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{
    Client, ClientError,
    event::EventTopic,
    sse::{Message, Reader},
};
use clawpool_core::{
    retry::{Backoff, Waits},
    task::TaskId,
};

/// A dispatcher says something every 15 s: one that is silent for so long is not there any more.
const SILENCE: Duration = Duration::from_secs(45);

/// A stream begins at once; a store that is away is told sooner than this.
const ANSWER: Duration = Duration::from_secs(15);

/// What is followed.
#[derive(Clone, Debug, Default)]
pub struct Following {
    /// Empty: all that the token may see.
    pub topics: Vec<EventTopic>,
    /// In place of topics: one task, until it has ended.
    pub task: Option<TaskId>,
    /// Go on after this event. Without it: from now on.
    pub after: Option<String>,
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamEvent {
    /// To go on after it. A picture of the moment has none.
    pub id: Option<String>,
    /// `alert`, `queues`, `gap` and so on.
    pub name: String,
    /// See `client::event` for the shapes.
    pub data: Value,
}

/// Events as they come.
pub struct Events<'a> {
    client: &'a Client,
    following: Following,
    answer: Option<Response>,
    reader: Reader,
    heard: VecDeque<Message>,
    waits: Waits,
    over: bool,
}

impl Client {
    /// Follows events; [`Events::next`] brings them. Fails when no stream can be had now.
    pub async fn events(&self, following: Following) -> Result<Events<'_>, ClientError> {
        let mut events = Events {
            client: self,
            following,
            answer: None,
            reader: Reader::default(),
            heard: VecDeque::new(),
            waits: Backoff::millis::<500, 10_000>().waits(),
            over: false,
        };
        events.open().await?;
        Ok(events)
    }
}

impl Events<'_> {
    /// The next event; `None` when the task has ended. A dispatcher that is away or busy is asked again.
    /// `lost` is told why a connection was lost, or none can be had.
    pub async fn next(
        &mut self,
        mut lost: impl FnMut(&ClientError),
    ) -> Result<Option<StreamEvent>, ClientError> {
        loop {
            if let Some(message) = self.heard.pop_front() {
                return self.event(message).map(Some);
            }
            if self.over {
                return Ok(None);
            }
            let step = if self.answer.is_some() { self.listen().await } else { self.open().await };
            match step {
                Ok(()) => {}
                Err(error) if error.is_retryable() => {
                    lost(&error);
                    self.answer = None;
                    let asked =
                        if let ClientError::Busy { wait, .. } = error { wait } else { Duration::ZERO };
                    sleep(self.waits.after_failure().max(asked)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The id of the last event that has one.
    pub fn last(&self) -> Option<&str> {
        self.following.after.as_deref()
    }

    async fn open(&mut self) -> Result<(), ClientError> {
        let Following { topics, task, after } = &self.following;
        let names: Vec<&str> = topics.iter().map(|topic| topic.name()).collect();
        let query = [
            ("topics", Some(names.join(",")).filter(|names| !names.is_empty())),
            ("task", task.map(|task| task.to_string())),
            ("after", after.clone()),
        ];
        let query: Vec<_> = query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        // A peer that takes the connection and says nothing is not waited for.
        let answer = timeout(ANSWER, self.client.stream("v1/events", &query)).await;
        let answer = answer.unwrap_or_else(|_| Err(self.client.silent(ANSWER)))?;
        // The task has ended, and was heard of.
        self.over = answer.status() == StatusCode::NO_CONTENT;
        let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !self.over && kind.is_none_or(|kind| !kind.starts_with("text/event-stream")) {
            return Err(self.client.unreadable("it is no stream of events"));
        }
        self.reader = Reader::default();
        self.answer = Some(answer);
        Ok(())
    }

    /// Some more of the answer.
    async fn listen(&mut self) -> Result<(), ClientError> {
        let Some(answer) = &mut self.answer else { return Ok(()) };
        let chunk = match timeout(SILENCE, answer.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| self.client.unreachable(&error))?,
            Err(_) => return Err(self.client.silent(SILENCE)),
        };
        match chunk {
            Some(bytes) => {
                let read = self.reader.read(&bytes);
                let messages = read.map_err(|_| self.client.unreadable("an event is too long"))?;
                if !messages.is_empty() {
                    self.waits.reset();
                }
                self.heard.extend(messages);
            }
            None => {
                self.answer = None;
                sleep(self.waits.after_failure()).await;
            }
        }
        Ok(())
    }

    fn event(&mut self, message: Message) -> Result<StreamEvent, ClientError> {
        let Message { id, name, data } = message;
        let data: Value =
            serde_json::from_str(&data).map_err(|error| self.client.unreadable(&error.to_string()))?;
        if id.is_some() {
            self.following.after.clone_from(&id);
        }
        if name == "end" {
            let reason = data["reason"].as_str().unwrap_or_default();
            self.over = matches!(reason, "task_ended" | "task_forgotten");
        }
        Ok(StreamEvent { id, name, data })
    }
}
