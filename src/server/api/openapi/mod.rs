//! The document that tells programs what this API is: OpenAPI 3.1, made from the routes, from the types that
//! handlers return and read, and from what `about` says of each.
//!
//! Guarantees: every route is in it and nothing else, with the scopes that its guard asks for. Never does:
//! look at a configuration or a server; it is the same everywhere.

mod about;
mod answer;
mod errors;
mod page;
mod plain;
pub(super) mod query;
mod schemas;

use axum::http::Method;
use clawpool_core::config::Scope;
use serde_json::Value;
use utoipa::openapi::{
    ComponentsBuilder, Info, License, OpenApiBuilder, PathItem, RefOr,
    path::{HttpMethod, Operation, OperationBuilder, PathsBuilder},
    response::ResponsesBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    tag::TagBuilder,
};

pub(super) use self::{
    about::About,
    answer::{Answer, Answering},
    page::{json, read},
    schemas::Schemas,
};
use super::{
    about::{ABOUT, TOPICS},
    routes::{self, Route},
};

/// The name of the only way to say who asks.
const TOKEN: &str = "token";

/// The whole document.
pub fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths = PathsBuilder::new();
    for route in routes::all() {
        let operation = operation(&route, &mut schemas);
        paths = paths.path(route.path, PathItem::new(method(&route.method), operation));
    }
    let mut components = ComponentsBuilder::new().security_scheme(TOKEN, token());
    for (name, response) in errors::all(&mut schemas) {
        components = components.response(name, response);
    }
    let mut info = Info::new("Clawpool", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.to_owned());
    info.license = Some(License::new("MIT OR Apache-2.0"));
    let tags =
        TOPICS.iter().map(|(name, about)| TagBuilder::new().name(*name).description(Some(*about)).build());
    let document = OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components.build()))
        .tags(Some(tags.collect::<Vec<_>>()))
        .build();
    // Maps with names for keys: nothing here can fail.
    let mut document = serde_json::to_value(document).unwrap_or_default();
    schemas.put_into(&mut document);
    document
}

/// The same as text, as it is served and kept in the repository.
pub fn text() -> String {
    format!("{:#}\n", document())
}

fn method(method: &Method) -> HttpMethod {
    match method.as_str() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn operation(route: &Route, schemas: &mut Schemas) -> Operation {
    let about = (route.about)();
    let body = (route.answer)(schemas);
    let mut responses = ResponsesBuilder::new();
    for told in &about.answers {
        responses = responses.response(told.status.to_string(), told.response(body.clone(), schemas));
    }
    let answered: Vec<u16> = about.answers.iter().map(|told| told.status).collect();
    for status in refusals(route, &about).into_iter().filter(|status| !answered.contains(status)) {
        responses = responses.response(status.to_string(), errors::refer(status));
    }
    let operation = OperationBuilder::new()
        .operation_id(Some(about.id))
        .tag(tag(route.path))
        .summary(Some(about.summary))
        .request_body(about.request_body(schemas))
        .responses(responses.build());
    let scopes = route.access.needs;
    let said = [scopes.map(needed), (!about.description.is_empty()).then(|| about.description.clone())];
    let said: Vec<String> = said.into_iter().flatten().rev().collect();
    let operation = operation.description((!said.is_empty()).then(|| said.join("\n\n")));
    let operation = operation.securities(Some(security(scopes)));
    about.parameters.into_iter().fold(operation, OperationBuilder::parameter).build()
}

/// What it is about: the first name of the path.
fn tag(path: &str) -> &str {
    match path.trim_start_matches("/v1").split('/').nth(1).unwrap_or_default() {
        "scheduled" | "explain" => "tasks",
        "hosts" | "pools" => "workers",
        "sla" => "figures",
        "access" => "tokens",
        "livez" | "readyz" | "doctor" => "health",
        "openapi.json" | "docs" => "document",
        topic => topic,
    }
}

/// The statuses of the refusals that a route can answer with.
fn refusals(route: &Route, about: &About) -> Vec<u16> {
    // Headers that contradict one another; web pages of elsewhere; a dispatcher that starts.
    let mut statuses = vec![400, 403, 503];
    if route.access.needs.is_some() {
        statuses.extend([401, 500]);
    }
    if about.has_body() {
        statuses.extend([408, 413]);
    }
    if !route.method.is_safe() {
        statuses.push(415);
    }
    statuses.extend(&about.refusals);
    statuses
}

fn needed(scopes: &[Scope]) -> String {
    let names: Vec<String> = scopes.iter().map(|scope| format!("`{scope}`")).collect();
    format!("Needs the scope {}.", names.join(" or "))
}

/// One of the scopes is enough.
fn security(scopes: Option<&[Scope]>) -> Vec<SecurityRequirement> {
    let scopes = scopes.unwrap_or_default();
    scopes.iter().map(|scope| SecurityRequirement::new(TOKEN, [scope.name()])).collect()
}

fn token() -> RefOr<SecurityScheme> {
    let about = "A token of the configuration or one that was made with `POST /v1/tokens`. Where the \
        configuration has none, none is needed: then programs of this machine may do everything.";
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build();
    RefOr::T(SecurityScheme::Http(scheme))
}
