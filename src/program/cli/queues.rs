use std::time::Duration;

use clap::{Args, Subcommand};

use super::{
    Globals,
    failure::{Failure, eprint_line},
    output::{dash, plain, span, table},
    tasks::each,
};
use clawpool_core::task::Queue;
use clawpool_engine::client::view::{QueueView, QueuesView};

/// How full the queues are; pause and resume them
#[derive(Debug, Args)]
pub(super) struct Queues {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Stop handing out a queue's tasks; running ones go on, new ones are still taken
    Pause {
        #[arg(required = true)]
        queues: Vec<Queue>,
    },
    /// Hand out a queue's tasks again
    Resume {
        #[arg(required = true)]
        queues: Vec<Queue>,
    },
}

impl Queues {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        match self.action {
            None => list(globals).await,
            Some(Action::Pause { queues }) => each(&queues, |queue| change(queue, "pause", globals)).await,
            Some(Action::Resume { queues }) => each(&queues, |queue| change(queue, "resume", globals)).await,
        }
    }
}

async fn list(globals: &Globals) -> Result<(), Failure> {
    let view: QueuesView = globals.client()?.get("v1/queues", &[]).await?;
    globals.output().show(&view, |view| listing(&view.items))?;
    for queue in &view.items {
        if let Some(error) = &queue.error {
            eprint_line(&format!("{}: {error}", queue.queue));
        }
    }
    Ok(())
}

pub(super) fn listing(queues: &[QueueView]) -> String {
    let rows = queues.iter().map(|queue| {
        [
            queue.queue.to_string(),
            dash(queue.ready),
            queue.in_flight.to_string(),
            dash(queue.oldest_age_ms.map(|age| span(Duration::from_millis(age)))),
            format!("{:.1}", queue.totals.enqueue_rate),
            format!("{:.1}", queue.totals.finish_rate),
            queue.totals.enqueued.to_string(),
            queue.totals.completed.to_string(),
            queue.totals.retried.to_string(),
            queue.totals.dead.to_string(),
            queue.totals.cancelled.to_string(),
            remarks(queue),
        ]
    });
    let header = [
        "QUEUE",
        "READY",
        "RUNNING",
        "OLDEST",
        "IN/s",
        "OUT/s",
        "ENQUEUED",
        "COMPLETED",
        "RETRIED",
        "DEAD",
        "CANCELLED",
        "",
    ];
    table(header, rows)
}

/// What keeps its tasks from being run.
fn remarks(queue: &QueueView) -> String {
    let paused = queue.paused.then(|| "paused".to_owned());
    let alone = (queue.workers == 0).then(|| "no worker".to_owned());
    let kinds = queue.unhandled.iter().map(|kind| format!("no handler for {}", plain(kind, 40)));
    paused.into_iter().chain(alone).chain(kinds).collect::<Vec<_>>().join(", ")
}

async fn change(queue: Queue, verb: &str, globals: &Globals) -> Result<(), Failure> {
    let view: QueueView = globals.client()?.post(&format!("v1/queues/{queue}/{verb}"), &()).await?;
    globals.output().show(&view, |view| {
        let state = if view.paused { "paused" } else { "open" };
        let late = match view.unconfirmed.len() {
            0 => String::new(),
            late => format!("; {late} workers have not confirmed it yet, and may still start tasks"),
        };
        format!("{}  {state}, {} ready{late}", view.queue, dash(view.ready))
    })
}
