//! One request of somebody's browser: what it names, and the API as its token has it.

use std::sync::Arc;

use askama::Template;
use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderName, Method, StatusCode, header, request::Parts},
    response::Response,
};
use clawpool_core::config::Scope;
use clawpool_engine::client::{access::AccessView, health::HealthView, view::ErrorView};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    form::Form,
    layout::Layout,
    origin,
    refusal::Refusal,
    requests::{Dashboard, lead, with_cookies},
    response,
    told::Told,
};

/// What says who asks, and from where.
const PASSED_ON: [HeaderName; 4] =
    [header::AUTHORIZATION, header::COOKIE, header::ORIGIN, HeaderName::from_static("sec-fetch-site")];

/// No answer that a page shows is longer.
const LONGEST: usize = 256 << 20;

pub(super) struct Visit {
    pub(super) dashboard: Arc<Dashboard>,
    pub(super) head: Parts,
    /// What the visitor may do.
    pub(super) access: AccessView,
    /// What the address says behind its question mark.
    pub(super) query: Form,
    /// What the path names: a task, a queue.
    pub(super) name: Option<String>,
    /// The page, as the register has it; of an action the page that offers it.
    pub(super) page: &'static str,
}

impl Visit {
    pub(super) fn new(
        dashboard: Arc<Dashboard>,
        head: Parts,
        name: Option<String>,
        page: &'static str,
    ) -> Self {
        let query = Form::read(head.uri.query().unwrap_or_default().as_bytes());
        let access = AccessView {
            name: None,
            scopes: Vec::new(),
            tenants: Vec::new(),
            queues: Vec::new(),
            required: true,
            read_only: false,
        };
        Self { dashboard, head, access, query, name, page }
    }

    /// What the path names.
    pub(super) fn named(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Whether the visitor is offered what needs this scope.
    pub(super) fn may(&self, scope: Scope) -> bool {
        let holds = self.access.scopes.iter().any(|own| own.contains(scope));
        holds && (scope == Scope::Read || !self.access.read_only)
    }

    /// Whether the visitor sees what is told apart neither by tenant nor by queue.
    pub(super) fn oversees(&self) -> bool {
        self.access.tenants.is_empty() && self.oversees_queues()
    }

    /// Whether the visitor sees every queue.
    pub(super) fn oversees_queues(&self) -> bool {
        self.access.queues.is_empty()
    }

    /// The API's answer to GET.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        let (_, bytes) = self.ask(Method::GET, path, Body::empty()).await?;
        read(&bytes)
    }

    /// The same, where the visitor may see it.
    pub(super) async fn get_if<T: DeserializeOwned>(
        &self,
        may: bool,
        path: &str,
    ) -> Result<Option<T>, Refusal> {
        if may { self.get(path).await.map(Some) } else { Ok(None) }
    }

    /// How the dispatcher is. It says so with a status of 503 as well.
    pub(super) async fn health(&self) -> Result<HealthView, Refusal> {
        let answer = self.send(Method::GET, "/health", Body::empty()).await?;
        read(&answer.1)
    }

    /// Has the API do something, and reads what it says of it.
    pub(super) async fn order<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Refusal> {
        let body = serde_json::to_vec(body).map_err(|error| Refusal::unreadable(&error))?;
        let (_, bytes) = self.ask(Method::POST, path, Body::from(body)).await?;
        read(&bytes)
    }

    /// Has the API do something that it answers with a status alone.
    pub(super) async fn tell(&self, method: Method, path: &str) -> Result<(), Refusal> {
        self.ask(method, path, Body::empty()).await.map(drop)
    }

    async fn ask(&self, method: Method, path: &str, body: Body) -> Result<(StatusCode, Vec<u8>), Refusal> {
        let (status, bytes) = self.send(method, path, body).await?;
        if status.is_success() {
            return Ok((status, bytes));
        }
        let view = serde_json::from_slice(&bytes);
        let view = view.unwrap_or_else(|_| ErrorView::new("CP-1409", String::from_utf8_lossy(&bytes)));
        Err(Refusal::said(status, view))
    }

    async fn send(&self, method: Method, path: &str, body: Body) -> Result<(StatusCode, Vec<u8>), Refusal> {
        let mut request = Request::builder().method(method).uri(path);
        for name in &PASSED_ON {
            for value in self.head.headers.get_all(name) {
                request = request.header(name, value);
            }
        }
        if let Some(host) = origin::host(&self.head) {
            request = request.header(header::HOST, host);
        }
        let request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        let request = request.map_err(|error| Refusal::unreadable(&error))?;
        let answer = self.dashboard.ask(&self.head, request).await;
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), LONGEST).await;
        Ok((status, bytes.map_err(|error| Refusal::unreadable(&error))?.to_vec()))
    }

    pub(super) fn layout(&self, title: impl AsRef<str>) -> Layout {
        Layout::of(self, title.as_ref())
    }

    /// The page, and the end of what it told.
    pub(super) fn answer(&self, page: &impl Template) -> Result<Response, Refusal> {
        let shown = response::page(StatusCode::OK, page);
        let told = Told::of(&self.head.headers).map(|_| self.dashboard.cookies(&self.head).told());
        Ok(with_cookies(shown, told))
    }

    /// Leads on to a page that tells what was done.
    pub(super) fn done(&self, to: &str, told: &Told) -> Result<Response, Refusal> {
        let cookie = self.dashboard.cookies(&self.head).tell(&told.json());
        Ok(with_cookies(lead(to), [cookie]))
    }

    /// This page's address.
    pub(super) fn address(&self) -> String {
        self.head.uri.path_and_query().map(ToString::to_string).unwrap_or_default()
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    // An order that is answered with a status alone.
    let bytes = if bytes.is_empty() { b"null" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| Refusal::unreadable(&error))
}
