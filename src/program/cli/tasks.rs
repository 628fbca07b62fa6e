use std::{collections::BTreeMap, time::Duration};

use clap::{Args, Subcommand};

use super::{
    Globals,
    failure::{Exit, Failure, eprint_line},
    output::{age, dash, fields, moment, plain, short, table, word},
    select::{TaskSelect, duration, more, pages},
    task_change::Many,
    task_counts::CountTasks,
    task_priority::SetPriority,
    wait,
};
use clawpool_backends::store::Record;
use clawpool_core::task::{State, TaskName};
use clawpool_engine::client::{
    task::{AttemptError, AttemptView, TaskDetail},
    view::CancelView,
};

/// Look at tasks, cancel them, wait for them
#[derive(Debug, Args)]
pub(super) struct Tasks {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Tasks that the store still knows, the latest first
    List(List),
    /// All that is known of one task
    Show {
        /// Whole, or its last 6 digits or more
        id: TaskName,
    },
    /// How many there are of each state and kind
    Counts(CountTasks),
    /// Cancel tasks that have not finished
    Cancel(Cancel),
    /// Wait for a task's end and print its result; exit code 1 when it died or was cancelled
    Wait {
        /// Whole, or its last 6 digits or more
        id: TaskName,
        /// Give up after this long
        #[arg(long, default_value = "60s", value_parser = duration)]
        timeout: Duration,
    },
    /// Start scheduled tasks now
    Run(Many),
    /// Have waiting tasks wait on the queue of another priority, or on another queue
    Priority(SetPriority),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    select: TaskSelect,
    /// Show at most this many
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

impl Tasks {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        match self.action {
            Action::List(list) => list.run(globals).await,
            Action::Show { id } => show(&id, globals).await,
            Action::Counts(counts) => counts.run(globals).await,
            Action::Priority(change) => change.run(globals).await,
            Action::Cancel(cancel) => cancel.run(globals).await,
            Action::Wait { id, timeout } => {
                let record = wait::until_final(&globals.client()?, &id, timeout).await?;
                wait::report(&record, &globals.output())
            }
            Action::Run(many) if many.is_by_id() => each(many.ids(), |id| run(id, globals)).await,
            Action::Run(many) => many.send("v1/tasks/run", "due now", globals).await,
        }
    }
}

/// Does as many as can be done; fails when one did. Where no dispatcher answers, the rest is not tried.
pub(super) async fn each<I: Clone>(
    ids: &[I],
    change: impl AsyncFn(I) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut last = None;
    for id in ids {
        let Err(failure) = change(id.clone()).await else { continue };
        if failure.exit == Exit::Unreachable {
            return Err(failure);
        }
        if let Some(before) = last.replace(failure) {
            eprint_line(&before.message);
        }
    }
    last.map_or(Ok(()), Err)
}

impl List {
    async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let page = pages(&globals.client()?, "v1/tasks", &self.select.query(), self.limit).await?;
        globals.output().show(&page, |page| listing(&page.items))?;
        more(&page);
        Ok(())
    }
}

pub(super) fn listing(records: &[Record]) -> String {
    let rows = records.iter().map(|record| {
        [
            short(record.id),
            plain(&record.kind, 40),
            record.priority.to_string(),
            state(record),
            record.attempt.to_string(),
            age(record.enqueued_at),
            plain(&dash(record.failure.as_ref().map(|failure| &failure.message)), 60),
        ]
    });
    table(["ID", "KIND", "PRIORITY", "STATE", "FAILED", "AGE", "LAST ERROR"], rows)
}

async fn show(id: &TaskName, globals: &Globals) -> Result<(), Failure> {
    let detail: TaskDetail = globals.client()?.get(&format!("v1/tasks/{id}"), &[]).await?;
    globals.output().show(&detail, details)
}

pub(super) fn details(detail: &TaskDetail) -> String {
    let TaskDetail { record, story } = detail;
    let line = |text: &Option<String>| text.as_deref().map(|text| plain(text, 200));
    let payload = story.payload.as_ref().and_then(|payload| serde_json::to_string_pretty(payload).ok());
    let missing = story.payload_missing.as_ref().map(|why| format!("({})", plain(why, 400)));
    let meta = (!story.meta.is_empty()).then(|| notes(&story.meta));
    let result = record.result.as_ref().and_then(|result| serde_json::to_string_pretty(result).ok());
    let known = fields([
        ("id", Some(record.id.to_string())),
        ("kind", Some(plain(&record.kind, 200))),
        ("priority", Some(record.priority.to_string())),
        ("tenant", record.tenant.as_deref().map(|tenant| plain(tenant, 200))),
        ("session", line(&story.session)),
        ("trace", line(&story.trace)),
        ("meta", meta),
        ("state", Some(state(record))),
        ("dead because", story.dead_reason.map(|reason| reason.to_string())),
        ("failed attempts", Some(record.attempt.to_string())),
        ("crashes", Some(record.crashes.to_string())),
        ("enqueued", Some(moment(record.enqueued_at))),
        ("due", record.due_at.map(moment)),
        ("started", record.started_at.map(moment)),
        ("finished", record.finished_at.map(moment)),
        ("worker", record.worker.map(|worker| worker.to_string())),
        ("progress", record.progress.as_deref().map(|news| plain(news, 200))),
        ("last error", record.failure.as_ref().map(|failure| plain(&failure.to_string(), 4096))),
        ("payload", payload.or(missing)),
        ("result", result),
    ]);
    if story.attempts.is_empty() { known } else { format!("{known}\n{}\n", attempts(&story.attempts)) }
}

/// Scheduled is said with what for, in one word as `awk` counts them.
fn state(record: &Record) -> String {
    let state = record.state;
    record.waiting.map_or_else(|| state.to_string(), |waiting| format!("{state}/{}", waiting.name()))
}

fn notes(meta: &BTreeMap<String, String>) -> String {
    let notes = meta.iter().map(|(name, value)| format!("{}={}", plain(name, 200), plain(value, 200)));
    notes.collect::<Vec<_>>().join(" ")
}

fn attempts(attempts: &[AttemptView]) -> String {
    let millis = |span: Option<u64>| dash(span.map(|millis| format!("{millis}ms")));
    let rows = attempts.iter().map(|attempt| {
        [
            attempt.attempt.to_string(),
            word(&attempt.outcome),
            dash(attempt.started_at),
            millis(attempt.wait_ms),
            millis(attempt.run_ms),
            dash(attempt.worker),
            plain(&dash(attempt.worker_version.as_ref()), 40),
            dash(attempt.exit),
            plain(&dash(attempt.error.as_ref().map(error)), 1000),
        ]
    });
    table(["ATTEMPT", "OUTCOME", "STARTED", "WAITED", "RAN", "WORKER", "VERSION", "EXIT", "ERROR"], rows)
}

/// What a program said last says most.
fn error(error: &AttemptError) -> String {
    let stderr = error.stderr.iter().map(|line| format!("{line} | "));
    format!("{}: {}{}", error.class, stderr.collect::<String>(), error.message)
}

/// Which tasks to cancel.
#[derive(Debug, Args)]
struct Cancel {
    #[command(flatten)]
    many: Many,
    /// Needed with --all and filters: what is cancelled does not come back
    #[arg(long)]
    yes: bool,
}

impl Cancel {
    async fn run(&self, globals: &Globals) -> Result<(), Failure> {
        if self.many.is_by_id() {
            return each(self.many.ids(), |id| cancel(id, globals)).await;
        }
        if !self.yes && !self.many.is_dry_run() {
            let advice = "cancelled tasks do not come back: count them with --dry-run, then add --yes";
            return Err(Failure::usage(advice));
        }
        self.many.send("v1/tasks/cancel", "cancelled", globals).await
    }
}

async fn cancel(id: TaskName, globals: &Globals) -> Result<(), Failure> {
    let view: CancelView = globals.client()?.delete(&format!("v1/tasks/{id}"), &[]).await?;
    globals.output().show(&view, |view| match view.state {
        State::Running => format!("{}  its handler has been told to stop", view.id),
        state => format!("{}  {state}", view.id),
    })
}

async fn run(id: TaskName, globals: &Globals) -> Result<(), Failure> {
    let record: Record = globals.client()?.post(&format!("v1/tasks/{id}/run"), &()).await?;
    globals.output().show(&record, |record| format!("{}  {}, due now", record.id, record.state))
}
