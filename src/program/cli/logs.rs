use clap::Args;

use super::{Globals, failure::Failure, output::plain};
use clawpool_core::task::{LogLine, TaskName};
use clawpool_engine::client::task::LogsView;

/// What a task's program or handler wrote and logged, attempt by attempt; also while it runs
#[derive(Debug, Args)]
pub(super) struct Logs {
    /// The task
    /// Whole, or its last 6 digits or more
    id: TaskName,
    /// Of this attempt alone; 1 is the first
    #[arg(long)]
    attempt: Option<u32>,
}

impl Logs {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let query: Vec<_> =
            self.attempt.map(|attempt| ("attempt", attempt.to_string())).into_iter().collect();
        let logs: LogsView = globals.client()?.get(&format!("v1/tasks/{}/logs", self.id), &query).await?;
        globals.output().show(&logs, listing)
    }
}

pub(super) fn listing(logs: &LogsView) -> String {
    let of = |attempt: u32| {
        move |LogLine { at, from, text }: &LogLine| {
            format!("{attempt}  {at}  {from:<6}  {}\n", plain(text, LogLine::LONGEST))
        }
    };
    logs.items.iter().flat_map(|log| log.lines.iter().map(of(log.attempt))).collect()
}
