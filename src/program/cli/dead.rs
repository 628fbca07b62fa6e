use clap::{Args, Subcommand};

use super::{
    Globals,
    dead_change::{Change, Requeue},
    failure::Failure,
    output::{age, fields, moment, plain, short, span, table},
    select::{DeadSelect, more, pages},
};
use clawpool_core::task::TaskName;
use clawpool_engine::client::view::{DeadDetail, DeadView, TaskView};

/// Dead letters: look, run again, discard, export
#[derive(Debug, Args)]
pub(super) struct Dead {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The latest dead letters
    List {
        #[command(flatten)]
        select: DeadSelect,
        /// Show at most this many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// One dead letter: its payload and what went wrong each time
    Show {
        /// Whole, or its last 6 digits or more
        id: TaskName,
    },
    /// Run dead tasks again, as new
    Requeue(Requeue),
    /// Delete dead letters for good
    Discard {
        #[command(flatten)]
        change: Change,
        /// Needed with --all and filters: what is discarded cannot be brought back
        #[arg(long)]
        yes: bool,
    },
    /// Write dead letters to standard output, one JSON object a line
    Export {
        #[command(flatten)]
        select: DeadSelect,
    },
}

impl Dead {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        match self.action {
            Action::List { select, limit } => list(&select, limit, globals).await,
            Action::Show { id } => {
                let letter: DeadDetail = globals.client()?.get(&format!("v1/dead/{id}"), &[]).await?;
                globals.output().show(&letter, details)
            }
            Action::Requeue(requeue) => requeue.run(globals).await,
            Action::Discard { change, yes } => change.discard(yes, globals).await,
            Action::Export { select } => export(&select, globals).await,
        }
    }
}

async fn list(select: &DeadSelect, limit: usize, globals: &Globals) -> Result<(), Failure> {
    let page = pages(&globals.client()?, "v1/dead", &select.query(), limit).await?;
    globals.output().show(&page, |page| listing(&page.items))?;
    more(&page);
    Ok(())
}

pub(super) fn listing(letters: &[DeadView]) -> String {
    let rows = letters.iter().map(|letter| {
        [
            short(letter.id),
            plain(&letter.kind, 40),
            letter.priority.to_string(),
            letter.reason.to_string(),
            age(letter.died_at),
            plain(&letter.failure.to_string(), 80),
        ]
    });
    table(["ID", "KIND", "PRIORITY", "REASON", "DIED AGO", "ERROR"], rows)
}

fn details(detail: &DeadDetail) -> String {
    let letter = &detail.letter;
    let task = detail.task.as_ref();
    let line = |text: Option<&String>| text.map(|text| plain(text, 200));
    let unreadable = task.is_none().then(|| "the message cannot be read as a task".to_owned());
    let known = fields([
        ("id", Some(letter.id.to_string())),
        ("kind", line(Some(&letter.kind))),
        ("priority", Some(letter.priority.to_string())),
        ("tenant", line(letter.tenant.as_ref())),
        ("session", line(task.and_then(|task| task.session.as_ref()))),
        ("unique key", line(task.and_then(|task| task.unique_key.as_ref()))),
        ("reason", Some(letter.reason.to_string())),
        ("error", Some(plain(&letter.failure.to_string(), 4096))),
        ("crashes", Some(letter.crashes.to_string())),
        ("enqueued", Some(moment(letter.enqueued_at))),
        ("died", Some(moment(letter.died_at))),
        ("timeout", task.and_then(|task| task.timeout).map(span)),
        ("payload", task.map_or(unreadable, |task| serde_json::to_string_pretty(&task.payload).ok())),
    ]);
    task.map_or_else(|| known.clone(), |task| format!("{known}\n{}\n", history(task)))
}

fn history(task: &TaskView) -> String {
    let rows = task.errors.iter().map(|error| {
        [error.attempt.to_string(), error.at.to_string(), plain(&error.failure.to_string(), 1000)]
    });
    table(["ATTEMPT", "AT", "ERROR"], rows)
}

async fn export(select: &DeadSelect, globals: &Globals) -> Result<(), Failure> {
    let mut response = globals.client()?.stream("v1/dead/export", &select.query()).await?;
    let output = globals.output();
    let mut out = output.pieces();
    loop {
        match response.chunk().await {
            Ok(Some(bytes)) => out.write(&bytes)?,
            Ok(None) => return output.text(""),
            Err(error) => {
                return Err(Failure::failed(format!("the export broke off and is not whole: {error}")));
            }
        }
    }
}
