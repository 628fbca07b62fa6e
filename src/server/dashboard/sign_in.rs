//! Signing in and out with a token, and the switch of colours.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use clawpool_core::config::Scope;
use clawpool_engine::client::access::AccessView;

use super::{
    form::{Address, Form},
    layout::Layout,
    refusal::Refusal,
    requests::{Dashboard, lead, own_address, own_form, with_cookies},
    response,
    told::Told,
    visit::Visit,
};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    layout: Layout,
    to: String,
    trouble: Option<String>,
}

pub(super) async fn show(State(dashboard): State<Arc<Dashboard>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let asked = Form::read(head.uri.query().unwrap_or_default().as_bytes());
    let to = own_address(asked.text("to")).to_owned();
    let layout = Layout::bare("Sign in", &head.headers);
    let told = layout.told.as_ref().map(|_| dashboard.cookies(&head).told());
    with_cookies(response::page(StatusCode::OK, &SignIn { layout, to, trouble: None }), told)
}

/// Has the browser keep the token, where the API knows it.
pub(super) async fn enter(State(dashboard): State<Arc<Dashboard>>, request: Request) -> Response {
    let (mut head, form) = match own_form(request).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let token = form.text("token").unwrap_or_default().to_owned();
    let to = own_address(form.text("to")).to_owned();
    let cookies = dashboard.cookies(&head);
    let known = match HeaderValue::from_bytes(format!("Bearer {token}").as_bytes()) {
        Ok(value) => {
            head.headers.insert(header::AUTHORIZATION, value);
            let visit = Visit::new(Arc::clone(&dashboard), head.clone(), None, "/");
            visit.get::<AccessView>("/v1/access").await
        }
        Err(_) => Err(Refusal::wrong("A token has no such characters.")),
    };
    let looks = |access: &AccessView| access.scopes.iter().any(|own| own.contains(Scope::Read));
    let trouble = match known {
        Ok(access) if !looks(&access) => {
            "This token may not look at the pool: it lacks the scope read.".into()
        }
        Ok(_) => match cookies.keep(&token) {
            Some(cookie) => return with_cookies(lead(&to), [Some(cookie)]),
            None => "This token is too long for a browser's cookie.".into(),
        },
        Err(Refusal { status, .. }) if status == StatusCode::UNAUTHORIZED => {
            "This token is not known here, or it has expired.".into()
        }
        Err(refusal) => refusal.view.message,
    };
    let page = SignIn { layout: Layout::bare("Sign in", &head.headers), to, trouble: Some(trouble) };
    response::page(StatusCode::FORBIDDEN, &page)
}

/// Has the browser forget the token.
pub(super) async fn leave(State(dashboard): State<Arc<Dashboard>>, request: Request) -> Response {
    match own_form(request).await {
        Ok((head, _)) => {
            let cookies = dashboard.cookies(&head);
            let told = Told::done("You have signed out.", "");
            with_cookies(lead("/sign-in"), [cookies.forget(), cookies.tell(&told.json())])
        }
        Err(response) => response,
    }
}

/// Light, dark, or as the system has it.
pub(super) async fn theme(State(dashboard): State<Arc<Dashboard>>, request: Request) -> Response {
    let (head, form) = match own_form(request).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let to = Address::new(own_address(form.text("to"))).text();
    with_cookies(lead(&to), [dashboard.cookies(&head).theme(form.text("theme").unwrap_or("system"))])
}
