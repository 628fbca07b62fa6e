//! What is done to queues.

use axum::http::Method;
use clawpool_core::task::State;
use clawpool_engine::client::{TaskFilter, TaskSelection};

use super::many::{self, Change, Order};
use crate::dashboard::{
    form::{Form, part},
    register::Shown,
    told::Told,
    visit::Visit,
    words::quoted,
};

pub(crate) async fn pause(visit: &Visit) -> Shown {
    order(visit, "pause", "is paused: running tasks go on, and no other one starts").await
}

pub(crate) async fn resume(visit: &Visit) -> Shown {
    order(visit, "resume", "is handed out again").await
}

async fn order(visit: &Visit, verb: &str, done: &str) -> Shown {
    let name = visit.named();
    visit.tell(Method::POST, &format!("/v1/queues/{}/{verb}", part(name))).await?;
    let told = Told::done(format!("{name} {done}."), format!("clawpool queues {verb} {}", quoted(name)));
    visit.done("/queues", &told)
}

/// Cancels all that waits on it.
pub(crate) async fn purge(visit: &Visit, form: &Form) -> Shown {
    let name = visit.named();
    let filter =
        TaskFilter { states: vec![State::Queued], queue: Some(name.to_owned()), ..TaskFilter::default() };
    let change = Change {
        name: "Cancel",
        verb: "cancelled",
        what: "waiting tasks",
        is_danger: true,
        action: format!("/queues/{}/purge", part(name)),
        command: format!("clawpool tasks cancel --queue {} --state queued --yes", quoted(name)),
        hidden: Vec::new(),
        back: "/queues".to_owned(),
    };
    let selection = TaskSelection { filter: Some(filter), ..TaskSelection::default() };
    many::run(visit, form, change, Order::Tasks { path: "/v1/tasks/cancel", selection }).await
}
