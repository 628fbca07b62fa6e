//! What cannot be shown or done, as a page.

use std::fmt::Display;

use askama::Template;
use axum::{
    http::{HeaderMap, StatusCode},
    response::Response,
};
use clawpool_core::codes::{self, Code};
use clawpool_engine::client::view::ErrorView;

use super::{
    form::Address,
    layout::Layout,
    requests::{lead, with_cookies},
    response, session,
    told::Told,
    visit::Visit,
};

/// As the API says it, mostly.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) view: ErrorView,
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct Shown {
    layout: Layout,
    status: u16,
    view: ErrorView,
    code: Option<Code>,
}

impl Refusal {
    pub(super) const fn said(status: StatusCode, view: ErrorView) -> Self {
        Self { status, view }
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::said(StatusCode::NOT_FOUND, ErrorView::new("CP-1406", message))
    }

    pub(super) fn wrong(message: impl Into<String>) -> Self {
        Self::said(StatusCode::BAD_REQUEST, ErrorView::new("CP-1402", message))
    }

    /// The API's answer is not what this version writes.
    pub(super) fn unreadable(error: &impl Display) -> Self {
        tracing::error!(%error, "a page of the dashboard cannot be made");
        let view = ErrorView::new("CP-1409", "The page could not be made; the dispatcher's log says why.");
        Self::said(StatusCode::INTERNAL_SERVER_ERROR, view)
    }

    /// Where to sign in, where that is what is missing; else a page that says what is wrong.
    pub(super) fn page(self, visit: &Visit) -> Response {
        if self.status == StatusCode::UNAUTHORIZED {
            return self.sign_in(visit);
        }
        self.shown(visit.layout("Not shown"))
    }

    /// The same, where nobody knows who visits.
    pub(super) fn bare(self, headers: &HeaderMap) -> Response {
        self.shown(Layout::bare("Not shown", headers))
    }

    fn shown(self, layout: Layout) -> Response {
        let Self { status, view } = self;
        let code = codes::find(&view.code);
        response::page(status, &Shown { layout, status: status.as_u16(), view, code })
    }

    fn sign_in(self, visit: &Visit) -> Response {
        let back = if visit.head.method.is_safe() { visit.address() } else { visit.page.to_owned() };
        let to = Address::new("/sign-in").with("to", Some(back).filter(|back| back != "/")).text();
        if session::secret(&visit.head.headers).is_none() {
            return lead(&to);
        }
        let cookies = visit.dashboard.cookies(&visit.head);
        let told = Told::failed("Your token opens nothing any more: it was revoked, or has expired.", "");
        with_cookies(lead(&to), [cookies.forget(), cookies.tell(&told.json())])
    }
}
