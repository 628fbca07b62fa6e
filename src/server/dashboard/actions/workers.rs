//! What is done to workers.

use axum::http::Method;

use crate::dashboard::{form::part, register::Shown, told::Told, visit::Visit, words::quoted};

pub(crate) async fn drain(visit: &Visit) -> Shown {
    let id = visit.named();
    visit.tell(Method::POST, &format!("/v1/workers/{}/drain", part(id))).await?;
    let text = "The worker finishes what it runs, and leaves.";
    visit.done("/workers", &Told::done(text, format!("clawpool workers drain {}", quoted(id))))
}
