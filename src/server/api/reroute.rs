//! Sending waiting tasks to another queue: a change of their priority.
//!
//! Guarantees: a request does a bounded amount of work and says where to go on; a dry run changes nothing;
//! what runs is left alone. Never does: send a task where its caller may not.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::{Api, audit::Trail, body::Unread, caller::Caller, chosen::Chosen, error::ApiError, queues};
use clawpool_backends::{
    path::{Rerouted, reroute},
    store::Record,
};
use clawpool_core::task::{Priority, Queue, State as TaskState};
use clawpool_engine::client::{TaskSelection, lists::ReroutedView};

const ABLE: [TaskState; 2] = [TaskState::Scheduled, TaskState::Queued];

pub(super) async fn priority(
    State(api): State<Arc<Api>>,
    caller: Caller,
    trail: Trail,
    body: Unread,
) -> Result<Json<ReroutedView>, ApiError> {
    let asked: TaskSelection = body.read(&api).await?.decode(&api.config().limits)?;
    let to = target(&api, &caller, asked.to.as_deref()).await?;
    let chosen = Chosen::of(&api, &caller, &trail, &asked, &ABLE).await?;
    let send = async |records: Vec<Record>| -> Result<Rerouted, ApiError> {
        let (seen, others): (Vec<_>, Vec<_>) = records.into_iter().partition(|record| caller.sees(record));
        let mut done = reroute(&*api.store, &*api.broker, &seen, to, asked.dry_run).await?;
        done.skipped += others.len() as u64;
        Ok(done)
    };
    let mut done = Rerouted::default();
    let mut view = ReroutedView::default();
    match chosen {
        Chosen::Named { records, unknown } => {
            done += send(records).await?;
            done.skipped += unknown;
        }
        Chosen::Matching(mut pages) => {
            while let Some(records) = pages.next(&api).await? {
                done += send(records).await?;
            }
            done.hidden += pages.hidden;
            (view.next, view.looked_at) = pages.rest();
        }
    }
    let Rerouted { moved: changed, skipped, hidden } = done;
    let code = (hidden > 0).then(|| HIDDEN.to_owned());
    Ok(Json(ReroutedView { changed, skipped, hidden, code, ..view }))
}

/// Messages that cannot be read where they wait.
const HIDDEN: &str = "CP-1432";

/// The queue of a priority, or one of this name.
async fn target(api: &Api, caller: &Caller, to: Option<&str>) -> Result<Queue, ApiError> {
    let to = to.ok_or_else(|| ApiError::field("to", "say where to: P0 to P6, or the name of a queue"))?;
    let queue = match to.parse::<Priority>() {
        Ok(priority) => priority.queue(),
        Err(_) => queues::named(api, to).await.map_err(|error| error.at(Some("to")))?,
    };
    if !caller.reaches(queue) {
        let message = format!("this token is not for the queue {queue}: use another token");
        return Err(ApiError::forbidden(message).at(Some("to")));
    }
    Ok(queue)
}
