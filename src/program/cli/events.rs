use std::io::{self, Write};

use clap::Args;
use serde_json::{Value, json};

use super::{
    Globals,
    failure::{Failure, eprint_line},
    output::plain,
};
use clawpool_core::task::{TaskId, Timestamp};
use clawpool_engine::client::{Following, StreamEvent, event::EventTopic};
use clawpool_server::telemetry::Keep;

/// What happens, as it happens: alerts, changes, crashes, scaling, and how queues and workers are
///
/// Goes on until Ctrl-C, over restarts and lost connections too, without a gap. With --json each line is an
/// event; the `id` of one is what --after goes on from.
#[derive(Debug, Args)]
pub(super) struct Events {
    /// Only these, with commas between: alerts, scaling, audit, crashes, restarts (journal: all of these),
    /// queues, workers, pools, health
    #[arg(long, value_name = "TOPICS", value_delimiter = ',', value_parser = topics)]
    topics: Vec<Named>,
    /// One task, until it has ended
    #[arg(long, value_name = "ID", conflicts_with_all = ["topics", "after"])]
    task: Option<TaskId>,
    /// Go on after the event with this id; without it from now on
    #[arg(long, value_name = "ID")]
    after: Option<String>,
}

/// What one word of `--topics` names.
type Named = Vec<EventTopic>;

fn topics(word: &str) -> Result<Named, String> {
    match word.trim() {
        "journal" => Ok(EventTopic::ALL.into_iter().filter(|topic| topic.is_journal()).collect()),
        name => name.parse().map(|topic| vec![topic]),
    }
}

impl Events {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let client = globals.client()?;
        let topics = self.topics.into_iter().flatten().collect();
        let follow = async {
            let mut events = client.events(Following { topics, task: self.task, after: self.after }).await?;
            let lost = |error: &_| eprint_line(&format!("waiting: {error}"));
            while let Some(event) = events.next(lost).await? {
                show(&event, globals.json)?;
            }
            Ok(())
        };
        tokio::select! {
            ended = follow => ended,
            interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        }
    }
}

/// One line each, at once.
fn show(event: &StreamEvent, json: bool) -> Result<(), Failure> {
    let line = if json { written(event) } else { line(event) };
    let mut out = io::stdout().lock();
    out.write_all(Keep::Nothing.visible(&line).as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// The data, with the id.
fn written(event: &StreamEvent) -> String {
    let mut data = event.data.clone();
    if let (Some(id), Some(fields)) = (&event.id, data.as_object_mut()) {
        fields.insert("id".to_owned(), json!(id));
    }
    data.to_string()
}

/// For people: when, which, and the names in it.
pub(super) fn line(event: &StreamEvent) -> String {
    let StreamEvent { name, data, .. } = event;
    let at = Timestamp::from_millis(data["at_ms"].as_u64().unwrap_or_default());
    format!("{at}  {name:<8}  {}", plain(&what(name, data), 300))
}

fn what(name: &str, data: &Value) -> String {
    let item = &data["item"];
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let all =
        |names: &[&str], of: &Value| names.iter().map(|name| text(&of[*name])).collect::<Vec<_>>().join("  ");
    match name {
        "alert" => all(&["pool", "level", "code", "text"], item),
        "audit" => all(&["by", "verb", "subject", "outcome"], item),
        "scaling" => all(&["pool", "cause", "from", "to"], item),
        "crash" => all(&["pool", "worker", "exit"], item),
        "restart" => all(&["pool", "after"], item),
        "task" => all(&["id", "kind", "state"], item),
        "open" => text(&data["topics"]),
        "gap" => format!("some {} are forgotten: their list has those that are kept", text(&data["topic"])),
        "end" => text(&data["reason"]),
        _ => pictured(name, data, all),
    }
}

/// Each thing of a picture with the numbers that matter most.
fn pictured(name: &str, data: &Value, all: impl Fn(&[&str], &Value) -> String) -> String {
    let shown = |item: &Value| match name {
        "queues" => {
            format!("{} {}+{}", all(&["queue"], item), all(&["ready"], item), all(&["in_flight"], item))
        }
        "workers" => all(&["worker", "pool"], item),
        "pools" => format!("{} {}/{}", all(&["pool"], item), all(&["current"], item), all(&["wanted"], item)),
        "health" => all(&["status"], item),
        _ => item.to_string(),
    };
    let items = data["items"].as_array().into_iter().flatten().map(shown);
    let gone = data["gone"].as_array().into_iter().flatten().filter_map(Value::as_str);
    items.chain(gone.map(|name| format!("-{name}"))).collect::<Vec<_>>().join(", ")
}
