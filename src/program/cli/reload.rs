//! `clawpool config reload`.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    Globals,
    failure::{Exit, Failure, eprint_line},
    output::plain,
};
use clawpool_backends::store::{Page, WorkerInfo};
use clawpool_core::task::ProcessId;
use clawpool_engine::client::{Client, ClientError, view::ReloadView};

/// Between two looks at a worker that leaves.
const LOOK: Duration = Duration::from_millis(200);
/// A worker may finish what it runs; one that takes longer is left to itself.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn run(globals: &Globals, replace_workers: bool) -> Result<(), Failure> {
    let client = globals.client()?;
    let answer = client.post("v1/config/reload", &serde_json::json!({})).await;
    let view: ReloadView = answer.map_err(|error: ClientError| {
        let is_refused = error.code() == Some("CP-1014");
        let failure = Failure::from(error);
        if is_refused { failure.with_exit(Exit::Configuration) } else { failure }
    })?;
    globals.output().show(&view, text)?;
    if replace_workers { replace(&client).await } else { Ok(()) }
}

fn text(view: &ReloadView) -> String {
    let ReloadView { applied, new_workers, restart, elsewhere, note } = view;
    let lists = [
        ("holds from now on", applied),
        ("holds for workers that start from now on", new_workers),
        ("holds after a restart", restart),
        ("not used by this process", elsewhere),
    ];
    let told = lists.into_iter().filter(|(_, keys)| !keys.is_empty());
    let mut lines: Vec<String> = told.map(|(what, keys)| format!("{what}: {}", keys.join(", "))).collect();
    if lines.is_empty() {
        lines.push("nothing has changed; the logs were opened anew".to_owned());
    }
    lines.extend(note.clone());
    lines.iter().map(|line| plain(line, 4000)).collect::<Vec<_>>().join("\n")
}

/// One after the other, so that the others work on.
async fn replace(client: &Client) -> Result<(), Failure> {
    for worker in alive(client).await? {
        client.order(&format!("v1/workers/{worker}/drain")).await?;
        let since = Instant::now();
        while alive(client).await?.contains(&worker) {
            if since.elapsed() > PATIENCE {
                eprint_line(&format!("the worker {worker} still finishes what it runs"));
                break;
            }
            sleep(LOOK).await;
        }
    }
    Ok(())
}

async fn alive(client: &Client) -> Result<Vec<ProcessId>, Failure> {
    let workers: Page<WorkerInfo> = client.get("v1/workers", &[]).await?;
    let alive = workers.items.into_iter().filter(|worker| worker.alive);
    Ok(alive.map(|worker| worker.beat.worker).collect())
}
