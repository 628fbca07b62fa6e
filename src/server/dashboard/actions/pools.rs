//! What is done to pools.

use std::time::Duration;

use axum::http::Method;
use clawpool_engine::client::{Manual, Scale};

use crate::dashboard::{
    form::{Form, part},
    refusal::Refusal,
    register::Shown,
    told::Told,
    visit::Visit,
    words::quoted,
};

pub(crate) async fn pause(visit: &Visit) -> Shown {
    order(visit, Some(visit.named()), "pause").await
}

pub(crate) async fn resume(visit: &Visit) -> Shown {
    order(visit, Some(visit.named()), "resume").await
}

pub(crate) async fn pause_all(visit: &Visit) -> Shown {
    order(visit, None, "pause").await
}

pub(crate) async fn resume_all(visit: &Visit) -> Shown {
    order(visit, None, "resume").await
}

/// Of one pool, or of all.
async fn order(visit: &Visit, pool: Option<&str>, verb: &str) -> Shown {
    let path = pool.map(|pool| format!("/{}", part(pool))).unwrap_or_default();
    visit.tell(Method::POST, &format!("/v1/autoscaler{path}/{verb}")).await?;
    let named = pool.map(|pool| format!(" {}", quoted(pool))).unwrap_or_default();
    let text = match (pool, verb) {
        (Some(pool), "pause") => format!("The pool {pool} keeps its size."),
        (Some(pool), _) => format!("The pool {pool} is sized by its policies again."),
        (None, "pause") => "All pools keep their size.".to_owned(),
        (None, _) => "All pools are sized by their policies again.".to_owned(),
    };
    visit.done("/pools", &Told::done(text, format!("clawpool autoscaler {verb}{named}")))
}

/// Holds a size for a while.
pub(crate) async fn scale(visit: &Visit, form: &Form) -> Shown {
    let pool = visit.named();
    let size = form.text("size").and_then(|text| text.parse().ok());
    let size = size.ok_or_else(|| Refusal::wrong("size: write a number of workers."))?;
    let asked = form.text("for").unwrap_or("1h");
    let keep: Duration = humantime::parse_duration(asked)
        .map_err(|error| Refusal::wrong(format!("for: {error}: write 30m or 2h")))?;
    let path = format!("/v1/autoscaler/{}/scale", part(pool));
    let held: Manual = visit.order(&path, &Scale { size, keep }).await?;
    let text = format!("The pool {pool} is held at {} workers for {asked}.", held.size);
    let command = format!("clawpool autoscaler scale {} {size} --for {}", quoted(pool), quoted(asked));
    visit.done("/pools", &Told::done(text, command))
}

/// Starts the workers that are down.
pub(crate) async fn restart(visit: &Visit) -> Shown {
    let pool = visit.named();
    visit.tell(Method::POST, &format!("/v1/pools/{}/restart", part(pool))).await?;
    let text = format!("The supervisor of {pool} was asked to start the workers that are down.");
    visit.done("/pools", &Told::done(text, format!("clawpool workers restart {}", quoted(pool))))
}
