//! The question before what cannot be undone, and how far a long change is.

use askama::Template;
use axum::response::Response;

use crate::dashboard::{layout::Layout, refusal::Refusal, visit::Visit};

#[derive(Template)]
#[template(path = "confirm.html")]
struct Confirm {
    layout: Layout,
    question: Question,
}

pub(super) struct Question {
    pub(super) title: String,
    /// What would happen, or has.
    pub(super) text: String,
    /// The command that does the same.
    pub(super) command: String,
    /// Where the answer goes.
    pub(super) action: String,
    /// What goes with it.
    pub(super) hidden: Vec<(String, String)>,
    pub(super) button: String,
    /// It cannot be undone.
    pub(super) is_danger: bool,
    /// There is nothing that could be done.
    pub(super) is_empty: bool,
    /// It is under way: a browser with scripts goes on by itself.
    pub(super) goes_on: bool,
    pub(super) back: String,
}

pub(super) fn ask(visit: &Visit, question: Question) -> Result<Response, Refusal> {
    visit.answer(&Confirm { layout: visit.layout(question.title.clone()), question })
}
