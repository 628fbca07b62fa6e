//! The dashboard's way into the API: it asks what a client would, in the same process.
//!
//! Guarantees: each of its requests passes the guard of its route, with the address and the token of who
//! visits. Never does: give the dashboard another way.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Extensions, Response},
};
use futures::{FutureExt, future::BoxFuture};
use hyper::service::Service;

use super::server::{Peer, Routes};
use crate::dashboard::{self, Api};

/// Adds the pages for people to the routes of the API. `secure`: they are served over TLS.
pub(super) fn with(routes: Router, secure: bool) -> Router {
    let api = Arc::new(Inside(Routes::new(routes.clone())));
    dashboard::add(routes, api, secure)
}

struct Inside(Routes);

impl Api for Inside {
    fn ask(&self, from: &Extensions, mut request: Request) -> BoxFuture<'static, Response<Body>> {
        if let Some(peer) = from.get::<Peer>() {
            request.extensions_mut().insert(peer.clone());
        }
        let answer = self.0.call(request);
        async move {
            let Ok(response) = answer.await;
            response
        }
        .boxed()
    }
}
