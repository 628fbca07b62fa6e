use std::{io::Read, path::PathBuf, time::Duration};

use clap::Args;
use serde_json::{Value, value::RawValue};

use super::{
    Globals,
    enqueue_file::EnqueueFile,
    failure::{Failure, eprint_line},
    output::{moment, plain, span},
    select::duration,
    wait,
};
use clawpool_core::task::{NewTask, Payload, Priority, TaskId, Tier, without_mark};
use clawpool_engine::client::{IdempotencyKey, view::AcceptedView};

/// Add a task, or a file of tasks
///
/// Prints the task's id; with --wait its result.
#[derive(Debug, Args)]
pub(super) struct Enqueue {
    /// What is to be done: email.send
    #[arg(required_unless_present = "file")]
    kind: Option<String>,
    /// JSON, or - to read it from standard input
    payload: Option<String>,
    /// P0 to P6, in place of the classification table
    #[arg(long)]
    priority: Option<Priority>,
    /// A queue by its name, in place of the classification table; it has its priority
    #[arg(long, conflicts_with = "priority")]
    queue: Option<String>,
    /// Start no earlier than this from now: 10m
    #[arg(long, value_parser = duration)]
    delay: Option<Duration>,
    /// Give up on it when it has not started by then
    #[arg(long, value_parser = duration)]
    ttl: Option<Duration>,
    /// How long one attempt may run
    #[arg(long, value_parser = duration)]
    timeout: Option<Duration>,
    /// Handler starts in all
    #[arg(long, value_name = "N")]
    max_attempts: Option<u32>,
    /// A retry policy of the configuration, by name
    #[arg(long, value_name = "POLICY")]
    retry: Option<String>,
    /// Add nothing while a task with this key is not finished
    #[arg(long, value_name = "KEY")]
    unique_key: Option<String>,
    /// Add nothing when the same command with this key was taken before
    #[arg(long, value_name = "KEY", conflicts_with_all = ["id", "file", "explain"])]
    idempotency_key: Option<IdempotencyKey>,
    /// Choose the id, to be able to repeat the command
    #[arg(long)]
    id: Option<TaskId>,
    /// Whose task it is
    #[arg(long)]
    tenant: Option<String>,
    /// free, basic, premium or enterprise
    #[arg(long, value_parser = tier)]
    tier: Option<Tier>,
    /// Tasks of one session belong together
    #[arg(long)]
    session: Option<String>,
    /// A note of your own, shown with the task and handed to its handler; repeat it for more
    #[arg(long, value_name = "NAME=VALUE", value_parser = note)]
    meta: Vec<(String, String)>,
    /// How long the result is kept; at least results.dedupe, ten minutes
    #[arg(long, value_parser = duration)]
    result_ttl: Option<Duration>,
    /// Wait this long for the result and print it
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    /// Add nothing; say what would become of the task, and which rule decides
    #[arg(long, conflicts_with_all = ["wait", "file"])]
    explain: bool,
    /// Tasks as JSON lines, one object a line; - for standard input
    #[arg(long, conflicts_with_all = ["kind", "payload", "wait"], value_name = "FILE")]
    file: Option<PathBuf>,
    /// With --file: how long to go on trying while queues are full or the server is away
    #[arg(long, default_value = "5m", value_parser = duration, requires = "file")]
    patience: Duration,
}

impl Enqueue {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        if let Some(path) = self.file {
            return EnqueueFile::new(globals.client()?, self.patience).run(&path, &globals.output()).await;
        }
        let explain = self.explain;
        let wait = self.wait;
        let key = self.idempotency_key.clone();
        let task = self.task()?;
        if explain { show_fate(&task, globals).await } else { add(&task, key.as_ref(), wait, globals).await }
    }

    fn task(self) -> Result<NewTask, Failure> {
        let payload = self.payload.map_or(Ok(Payload::null()), |text| payload(&text))?;
        let mut task = NewTask {
            id: self.id,
            kind: self.kind.unwrap_or_default(),
            payload,
            priority: self.priority,
            queue: self.queue,
            tenant: self.tenant,
            tier: self.tier,
            session: self.session,
            meta: self.meta.into_iter().collect(),
            delay: self.delay,
            ttl: self.ttl,
            max_attempts: self.max_attempts,
            retry: self.retry,
            timeout: self.timeout,
            unique_key: self.unique_key,
            result_ttl: self.result_ttl,
            ..NewTask::default()
        };
        // What runs it may be part of a trace itself: a program of a task, for one.
        let [parent, state] = ["TRACEPARENT", "TRACESTATE"].map(|name| std::env::var(name).ok());
        task.adopt_trace(parent.as_deref(), state.as_deref());
        Ok(task)
    }
}

fn note(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn tier(text: &str) -> Result<Tier, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

fn payload(text: &str) -> Result<Payload, Failure> {
    let mut bytes = text.as_bytes().to_vec();
    if text == "-" {
        bytes.clear();
        let read = std::io::stdin().read_to_end(&mut bytes);
        read.map_err(|error| Failure::failed(format!("standard input cannot be read: {error}")))?;
    }
    let document: &RawValue = serde_json::from_slice(without_mark(&bytes)).map_err(|error| {
        Failure::usage(format!(
            "the payload is not JSON ({error}): quote it for your shell, '{{\"to\":\"a@b.c\"}}'"
        ))
    })?;
    Payload::from_json(document)
        .map_err(|fault| Failure::usage(format!("{}: {}", fault.route.within("payload"), fault.what)))
}

async fn add(
    task: &NewTask,
    key: Option<&IdempotencyKey>,
    limit: Option<Duration>,
    globals: &Globals,
) -> Result<(), Failure> {
    let client = globals.client()?;
    let output = globals.output();
    let mut accepted = client.enqueue(task, key).await?;
    if !globals.json {
        accepted.warnings.iter().for_each(|warning| eprint_line(&format!("warning: {warning}")));
    }
    let id = accepted.id;
    if let Some(limit) = limit {
        eprint_line(&placed(&accepted));
        let record = wait::until_final(&client, &id.into(), limit).await?;
        return wait::report(&record, &output);
    }
    accepted.task = None;
    output.show(&accepted, |accepted| accepted.id.to_string())?;
    if !globals.json {
        eprint_line(&placed(&accepted));
    }
    Ok(())
}

fn placed(accepted: &AcceptedView) -> String {
    let AcceptedView { id, priority, queue, duplicate, .. } = accepted;
    match (duplicate, accepted.due_at) {
        (true, _) => format!("{id} was there before, as {priority}; nothing was added"),
        (false, Some(due)) => format!("{id} waits as {priority} for its time, {}", moment(due)),
        (false, None) => format!("{id} is queued as {priority} on {queue}"),
    }
}

async fn show_fate(task: &NewTask, globals: &Globals) -> Result<(), Failure> {
    let fate: Value = globals.client()?.post("v1/explain", task).await?;
    globals.output().show(&fate, explained)
}

/// The explanation's fields, as the server names them.
fn explained(fate: &Value) -> String {
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let text = |value: &Value| match value.as_array() {
        Some(values) => values.iter().map(word).collect::<Vec<_>>().join("; "),
        None => word(value),
    };
    let lines = fate.as_object().into_iter().flatten().map(|(name, value)| {
        let (name, text) = match (name.strip_suffix("_ms"), value.as_u64()) {
            (Some(name), Some(millis)) => (name, span(Duration::from_millis(millis))),
            _ => (name.as_str(), text(value)),
        };
        format!("{:<14}  {}\n", name.replace('_', " "), plain(&text, 400))
    });
    lines.collect()
}
