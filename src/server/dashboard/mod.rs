//! Pages for people: what the pool does, and what can be done about it.
//!
//! Guarantees: shows and changes nothing but what the HTTP API answers to the token of who visits, and asks
//! it for no more than a page shows; nothing comes from another server; no text that somebody else wrote is
//! markup. Never does: ask the store or a broker, or remember who has signed in.

mod actions;
mod assets;
mod chart;
mod escape;
mod form;
mod layout;
pub(crate) mod origin;
mod pages;
mod refusal;
mod register;
mod requests;
mod response;
pub(crate) mod session;
mod sign_in;
mod told;
mod tree;
mod visit;
mod words;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Extensions, Response},
    routing::{get, post},
};
use futures::future::BoxFuture;

use self::requests::Dashboard;

/// The HTTP API of this dispatcher.
pub(crate) trait Api: Send + Sync {
    /// Asks as the client whose request had these extensions.
    fn ask(&self, from: &Extensions, request: Request) -> BoxFuture<'static, Response<Body>>;
}

/// Adds all pages to the routes of the API, which pages ask through `api`. `secure`: it is served over TLS.
pub(crate) fn add(routes: Router, api: Arc<dyn Api>, secure: bool) -> Router {
    let dashboard = Arc::new(Dashboard::new(api, secure));
    let mut pages = Router::new()
        .route(assets::PATH, get(assets::serve))
        .route("/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/sign-out", post(sign_in::leave))
        .route("/theme", post(sign_in::theme));
    for page in &register::PAGES {
        let show = move |State(all): State<Arc<Dashboard>>, request: Request| all.show(page, request);
        pages = pages.route(page.path, get(show));
    }
    for action in &register::ACTIONS {
        let act = move |State(all): State<Arc<Dashboard>>, request: Request| all.act(action, request);
        pages = pages.route(action.path, post(act));
    }
    let pages = pages.with_state(Arc::clone(&dashboard));
    routes.merge(pages).fallback(move |request: Request| dashboard.nowhere(request))
}

/// The addresses of all pages, for tests of them all.
#[cfg(test)]
pub(crate) fn pages() -> impl Iterator<Item = &'static str> {
    register::PAGES.iter().map(|page| page.path)
}

/// The same of all actions.
#[cfg(test)]
pub(crate) fn actions() -> impl Iterator<Item = &'static str> {
    register::ACTIONS.iter().map(|action| action.path)
}
