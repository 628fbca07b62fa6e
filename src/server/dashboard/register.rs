//! Every page and every action: the one place where a part of the pool registers its own.
//!
//! Guarantees: router, menu and tests are made of these two lists, so that nothing is reachable, offered or
//! untested by oversight. Never does: know what a page shows.

use axum::{http::StatusCode, response::Response};
use clawpool_core::config::Scope;
use clawpool_engine::client::{access::AccessView, view::ErrorView};
use futures::{FutureExt, future::BoxFuture};

use super::{
    actions::{dead, pools, queues, tasks, workers},
    form::Form,
    pages,
    refusal::Refusal,
    visit::Visit,
};

pub(super) type Shown = Result<Response, Refusal>;

/// Something to look at.
pub(super) struct Page {
    pub(super) path: &'static str,
    pub(super) menu: Menu,
    pub(super) sees: Sees,
    pub(super) show: for<'a> fn(&'a Visit) -> BoxFuture<'a, Shown>,
}

/// Whether it is in the menu, in which part, and under which name.
#[derive(Clone, Copy)]
pub(super) enum Menu {
    No,
    First(&'static str),
    Second(&'static str),
}

/// Something to do. Which scope it takes is the API's to say: it is an order of the API.
pub(super) struct Action {
    pub(super) path: &'static str,
    /// The page that offers it.
    pub(super) page: &'static str,
    pub(super) run: for<'a> fn(&'a Visit, &'a Form) -> BoxFuture<'a, Shown>,
}

/// What a visitor has to see in order to be shown a page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sees {
    /// The tasks and queues that the token is for.
    Own,
    /// Every queue.
    Queues,
    /// Everything.
    All,
}

impl Sees {
    /// Refuses whom the API would refuse the page's figures.
    pub(super) fn check(self, access: &AccessView) -> Result<(), Refusal> {
        let message = if !access.scopes.iter().any(|own| own.contains(Scope::Read)) {
            "this token may not look at the pool: it lacks the scope read"
        } else if self != Self::Own && !access.queues.is_empty() {
            "this shows every queue, and the token is for some: use another token"
        } else if self == Self::All && !access.tenants.is_empty() {
            "this shows the tasks of every tenant, and the token is for some: use another token"
        } else {
            return Ok(());
        };
        Err(Refusal::said(StatusCode::FORBIDDEN, ErrorView::new("CP-1405", message)))
    }
}

use Menu::{First, No, Second};

pub(super) static PAGES: [Page; 12] = [
    page("/", First("Overview"), Sees::Own, |visit| pages::overview::show(visit).boxed()),
    page("/tasks", First("Tasks"), Sees::Own, |visit| pages::tasks::show(visit).boxed()),
    page("/tasks/{id}", No, Sees::Own, |visit| pages::task::show(visit).boxed()),
    page("/queues", First("Queues"), Sees::Own, |visit| pages::queues::show(visit).boxed()),
    page("/queues/{queue}", No, Sees::Own, |visit| pages::queues::show_one(visit).boxed()),
    page("/dead", First("Dead letters"), Sees::Own, |visit| pages::dead::show(visit).boxed()),
    page("/scheduled", First("Scheduled"), Sees::All, |visit| pages::scheduled::show(visit).boxed()),
    page("/workers", First("Workers"), Sees::All, |visit| pages::workers::show(visit).boxed()),
    page("/pools", First("Pools"), Sees::Queues, |visit| pages::pools::show(visit).boxed()),
    page("/audit", Second("Audit"), Sees::All, |visit| pages::audit::show(visit).boxed()),
    page("/doctor", Second("Doctor"), Sees::All, |visit| pages::doctor::show(visit).boxed()),
    page("/config", Second("Configuration"), Sees::All, |visit| pages::config::show(visit).boxed()),
];

pub(super) static ACTIONS: [Action; 17] = [
    action("/tasks/{id}/cancel", "/tasks", |visit, _| tasks::cancel(visit).boxed()),
    action("/tasks/{id}/run", "/tasks", |visit, _| tasks::run(visit).boxed()),
    action("/tasks/{id}/requeue", "/tasks", |visit, form| tasks::requeue(visit, form).boxed()),
    action("/tasks/{id}/again", "/tasks", |visit, form| tasks::again(visit, form).boxed()),
    action("/tasks/bulk", "/tasks", |visit, form| tasks::bulk(visit, form).boxed()),
    action("/queues/{queue}/pause", "/queues", |visit, _| queues::pause(visit).boxed()),
    action("/queues/{queue}/resume", "/queues", |visit, _| queues::resume(visit).boxed()),
    action("/queues/{queue}/purge", "/queues", |visit, form| queues::purge(visit, form).boxed()),
    action("/dead/requeue", "/dead", |visit, form| dead::requeue(visit, form).boxed()),
    action("/dead/discard", "/dead", |visit, form| dead::discard(visit, form).boxed()),
    action("/workers/{id}/drain", "/workers", |visit, _| workers::drain(visit).boxed()),
    action("/pools/{pool}/pause", "/pools", |visit, _| pools::pause(visit).boxed()),
    action("/pools/{pool}/resume", "/pools", |visit, _| pools::resume(visit).boxed()),
    action("/pools/{pool}/scale", "/pools", |visit, form| pools::scale(visit, form).boxed()),
    action("/pools/{pool}/restart", "/pools", |visit, _| pools::restart(visit).boxed()),
    action("/pools/pause", "/pools", |visit, _| pools::pause_all(visit).boxed()),
    action("/pools/resume", "/pools", |visit, _| pools::resume_all(visit).boxed()),
];

const fn page(
    path: &'static str,
    menu: Menu,
    sees: Sees,
    show: for<'a> fn(&'a Visit) -> BoxFuture<'a, Shown>,
) -> Page {
    Page { path, menu, sees, show }
}

const fn action(
    path: &'static str,
    page: &'static str,
    run: for<'a> fn(&'a Visit, &'a Form) -> BoxFuture<'a, Shown>,
) -> Action {
    Action { path, page, run }
}
