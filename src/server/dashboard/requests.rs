//! Takes requests of browsers: who visits is asked first, and a refusal is a page as well.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequestParts, RawPathParams, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use clawpool_engine::client::{access::AccessView, view::ErrorView};

use super::{
    Api,
    form::Form,
    origin,
    refusal::Refusal,
    register::{Action, Page},
    response,
    session::Cookies,
    visit::Visit,
};

/// A form holds a payload at most, and the names around it.
const LONGEST_FORM: usize = 8 << 20;

pub(super) struct Dashboard {
    api: Arc<dyn Api>,
    secure: bool,
}

impl Dashboard {
    pub(super) fn new(api: Arc<dyn Api>, secure: bool) -> Self {
        Self { api, secure }
    }

    /// A page.
    pub(super) async fn show(self: Arc<Self>, page: &'static Page, request: Request) -> Response {
        let (mut head, _) = request.into_parts();
        if origin::is_link_from_elsewhere(&head) {
            return response::bounce(&head);
        }
        let name = named(&mut head).await;
        let visit = match self.visit(head, name, page.path).await {
            Ok(visit) => visit,
            Err(response) => return *response,
        };
        let shown = match page.sees.check(&visit.access) {
            Ok(()) => (page.show)(&visit).await,
            Err(refusal) => Err(refusal),
        };
        shown.unwrap_or_else(|refusal| refusal.page(&visit))
    }

    /// An action. Whether it is allowed is the API's to say; where a page of elsewhere sends it, it is not
    /// even asked.
    pub(super) async fn act(self: Arc<Self>, action: &'static Action, request: Request) -> Response {
        let (mut head, body) = request.into_parts();
        let name = named(&mut head).await;
        let visit = match self.visit(head, name, action.page).await {
            Ok(visit) => visit,
            Err(response) => return *response,
        };
        let acted = match form(&visit.head, body).await {
            Ok(form) => (action.run)(&visit, &form).await,
            Err(refusal) => Err(refusal),
        };
        acted.unwrap_or_else(|refusal| refusal.page(&visit))
    }

    /// What is at no address: a page for people, and for programs the API's own answer.
    pub(super) async fn nowhere(self: Arc<Self>, request: Request) -> Response {
        let is_read = request.method() == Method::GET && accepts_pages(request.headers());
        if !is_read || request.uri().path().starts_with("/v1/") {
            let from = request.extensions().clone();
            return self.api.ask(&from, request).await;
        }
        let view = ErrorView::new("CP-1406", "There is nothing at this address.");
        Refusal::said(StatusCode::NOT_FOUND, view).bare(request.headers())
    }

    pub(super) fn cookies(&self, head: &Parts) -> Cookies {
        // A proxy says that its own connection is one of TLS. Told falsely, the browser that told it loses
        // its session.
        let proxied = head.headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
        Cookies { secure: self.secure || proxied }
    }

    /// Asks the API as who sent `head`.
    pub(super) async fn ask(&self, head: &Parts, request: Request) -> Response {
        self.api.ask(&head.extensions, request).await
    }

    async fn visit(
        self: &Arc<Self>,
        head: Parts,
        name: Option<String>,
        page: &'static str,
    ) -> Result<Visit, Box<Response>> {
        let visit = Visit::new(Arc::clone(self), head, name, page);
        match visit.get::<AccessView>("/v1/access").await {
            Ok(access) => Ok(Visit { access, ..visit }),
            Err(refusal) => Err(Box::new(refusal.page(&visit))),
        }
    }
}

async fn named(head: &mut Parts) -> Option<String> {
    let params = RawPathParams::from_request_parts(head, &()).await.ok()?;
    params.iter().next().map(|(_, value)| value.to_owned())
}

async fn form(head: &Parts, body: Body) -> Result<Form, Refusal> {
    if let Some(from) = origin::elsewhere(head) {
        let message = format!("Forms of web pages {from} are refused.");
        return Err(Refusal::said(StatusCode::FORBIDDEN, ErrorView::new("CP-1405", message)));
    }
    match to_bytes(body, LONGEST_FORM).await {
        Ok(bytes) => Ok(Form::read(&bytes)),
        Err(_) => {
            let message = "The form is too long, or broke off.";
            Err(Refusal::said(StatusCode::PAYLOAD_TOO_LARGE, ErrorView::new("CP-1403", message)))
        }
    }
}

/// The form that somebody sent from one of our pages.
pub(super) async fn own_form(request: Request) -> Result<(Parts, Form), Response> {
    let (head, body) = request.into_parts();
    match form(&head, body).await {
        Ok(form) => Ok((head, form)),
        Err(refusal) => Err(refusal.bare(&head.headers)),
    }
}

fn accepts_pages(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// With these cookies set.
pub(super) fn with_cookies(
    mut response: Response,
    cookies: impl IntoIterator<Item = Option<HeaderValue>>,
) -> Response {
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Leads on to a page of ours; after a form, which a reload must not send again.
pub(super) fn lead(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or_else(|_| HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

/// An address of ours that somebody is to come back to; anything else is the overview.
pub(super) fn own_address(to: Option<&str>) -> &str {
    let is_plain = |text: &str| text.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'\\');
    to.filter(|to| to.starts_with('/') && !to.starts_with("//") && is_plain(to)).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_led_to_our_own_pages_alone() {
        for own in ["/", "/tasks?state=dead&kind=a%20b", "/queues#high.p2"] {
            assert_eq!(own_address(Some(own)), own);
        }
        let others =
            ["//evil.example", "https://evil.example", "/\\evil.example", "/a b", "/a\r\nset-cookie: x"];
        for other in others {
            assert_eq!(own_address(Some(other)), "/", "{other:?}");
        }
        assert_eq!(own_address(None), "/");
    }
}
