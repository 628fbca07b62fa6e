//! How things look now, and what of it is worth telling: not each heartbeat, nor what it says of processor
//! and memory.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;
use serde_json::Value;

use super::picture::Sight;
use crate::api::{Api, autoscaler, error::ApiError, health, queues};
use clawpool_backends::store::WorkerInfo;
use clawpool_core::task::Queue;

pub(super) async fn queues(api: &Api, workers: &[WorkerInfo]) -> Result<Vec<Sight>, ApiError> {
    let views = queues::served_by(api, workers).await?;
    Ok(views.iter().filter_map(|view| sight(view.queue.name(), Some(view.queue), view, &[])).collect())
}

pub(super) fn workers(mut workers: Vec<WorkerInfo>) -> Vec<Sight> {
    workers.sort_by_key(|worker| (worker.beat.started_at, worker.beat.worker));
    let view = |info: &WorkerInfo| {
        sight(&info.beat.worker.to_string(), None, info, &["beats", "last_beat", "usage"])
    };
    workers.iter().filter_map(view).collect()
}

/// Their sizes; votes and forecasts differ at each look.
pub(super) async fn pools(api: &Api) -> Result<Vec<Sight>, ApiError> {
    let pools = autoscaler::pools(api).await?;
    let view = |status: &clawpool_engine::client::PoolStatus| {
        let mut value = serde_json::to_value(status).ok()?;
        without(&mut value, &["decision", "forecast"]);
        let name = if status.dry_run { format!("{} (dry run)", status.pool) } else { status.pool.clone() };
        sight(&name, None, &value, &["at"])
    };
    Ok(pools.iter().filter_map(view).collect())
}

pub(super) async fn health(api: &Api) -> Vec<Sight> {
    let view = health::now(api).await;
    let Ok(mut stable) = serde_json::to_value(&view) else { return Vec::new() };
    without(&mut stable, &["timestamp", "metrics", "age_ms"]);
    let probes = stable.get_mut("probes").and_then(Value::as_array_mut);
    probes.into_iter().flatten().for_each(|probe| without(probe, &["took_ms", "checked_at"]));
    let json = serde_json::to_string(&view).unwrap_or_default();
    vec![Sight { name: "health".to_owned(), queue: None, json, digest: digest(&stable) }]
}

/// `ignored`: fields that may differ without anybody being told.
fn sight(name: &str, queue: Option<Queue>, view: &impl Serialize, ignored: &[&str]) -> Option<Sight> {
    let mut value = serde_json::to_value(view).ok()?;
    let json = serde_json::to_string(view).ok()?;
    without(&mut value, ignored);
    Some(Sight { name: name.to_owned(), queue, json, digest: digest(&value) })
}

fn without(value: &mut Value, names: &[&str]) {
    if let Some(fields) = value.as_object_mut() {
        names.iter().for_each(|name| drop(fields.remove(*name)));
    }
}

fn digest(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    hasher.finish()
}
