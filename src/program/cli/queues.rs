use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Globals,
    failure::{Failure, eprint_line},
    output::{dash, plain, span, table},
    tasks::each,
};
use clawpool_core::task::{Lane, Priority, Queue, QueuePattern};
use clawpool_engine::client::view::{QueueView, QueuesView, RemovedQueueView};

/// How full the queues are; pause and resume them, make and remove your own
#[derive(Debug, Args)]
pub(super) struct Queues {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Stop handing out a queue's tasks; running ones go on, new ones are still taken
    Pause {
        /// Names, patterns (llm.*), priorities (P4) or lanes (high)
        #[arg(required = true)]
        queues: Vec<QueuePattern>,
    },
    /// Hand out a queue's tasks again
    Resume {
        /// Names, patterns (llm.*), priorities (P4) or lanes (high)
        #[arg(required = true)]
        queues: Vec<QueuePattern>,
    },
    /// Make a queue of your own; it lasts until it is removed
    Add {
        /// Letters, digits and . _ -
        name: String,
        /// Of all tasks on it
        #[arg(long)]
        priority: Priority,
        /// What carries it, in place of the lane of its priority: critical, high, normal or background
        #[arg(long)]
        lane: Option<Lane>,
    },
    /// Remove a queue that was made with `add` and has no unfinished tasks
    Remove {
        name: String,
        /// Take no new tasks from now on, wait until the others are done, and remove it then
        #[arg(long)]
        drain: bool,
        /// The same, and move the waiting ones to this queue
        #[arg(long, value_name = "QUEUE", conflicts_with = "drain")]
        move_to: Option<String>,
    },
}

impl Queues {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        match self.action {
            None => list(globals).await,
            Some(Action::Pause { queues }) => change_all(&queues, "pause", globals).await,
            Some(Action::Resume { queues }) => change_all(&queues, "resume", globals).await,
            Some(Action::Add { name, priority, lane }) => add(&name, priority, lane, globals).await,
            Some(Action::Remove { name, drain, move_to }) => remove(&name, drain, move_to, globals).await,
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
    let closing = queue.closing.then(|| "being removed".to_owned());
    let alone = (queue.workers == 0).then(|| "no worker".to_owned());
    let kinds = queue.unhandled.iter().map(|kind| format!("no handler for {}", plain(kind, 40)));
    paused.into_iter().chain(closing).chain(alone).chain(kinds).collect::<Vec<_>>().join(", ")
}

/// The queues that these patterns stand for.
async fn change_all(patterns: &[QueuePattern], verb: &str, globals: &Globals) -> Result<(), Failure> {
    let view: QueuesView = globals.client()?.get("v1/queues", &[]).await?;
    let mut queues = Vec::new();
    for pattern in patterns {
        let named = view.items.iter().map(|item| item.queue).filter(|queue| pattern.matches(*queue));
        let before = queues.len();
        queues.extend(named);
        if queues.len() == before {
            return Err(Failure::usage(format!("no queue is named {pattern}: see `clawpool queues`")));
        }
    }
    queues.sort_unstable();
    queues.dedup();
    each(&queues, |queue| change(queue, verb, globals)).await
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

async fn add(name: &str, priority: Priority, lane: Option<Lane>, globals: &Globals) -> Result<(), Failure> {
    let new = json!({ "name": name, "priority": priority, "lane": lane });
    let view: QueueView = globals.client()?.post("v1/queues", &new).await?;
    globals.output().show(&view, |view| {
        let served = match view.workers {
            0 => "no live worker serves it yet".to_owned(),
            workers => format!("{workers} workers serve it"),
        };
        format!("{}  {}, lane {}; {served}", view.queue, view.priority, view.lane)
    })
}

/// Between two looks whether the queue's tasks are done.
const LOOK: Duration = Duration::from_secs(1);

async fn remove(name: &str, drain: bool, move_to: Option<String>, globals: &Globals) -> Result<(), Failure> {
    let client = globals.client()?;
    let path = format!("v1/queues/{name}");
    let query = match move_to {
        Some(queue) => [("move_to", queue)],
        None => [("drain", drain.to_string())],
    };
    let mut told = None;
    loop {
        let view: RemovedQueueView = client.delete(&path, &query).await?;
        if view.removed {
            return globals.output().show(&view, |view| format!("{}  removed", view.queue));
        }
        if told != Some(view.unfinished) {
            eprint_line(&format!("{name} takes no new tasks; {} are unfinished", view.unfinished));
            told = Some(view.unfinished);
        }
        tokio::time::sleep(LOOK).await;
    }
}
