//! The answers that say that something was not done. All have one shape.

use utoipa::openapi::{
    Content, Ref, RefOr,
    header::HeaderBuilder,
    response::{Response, ResponseBuilder},
    schema::{Schema, Type},
};

use super::Schemas;
use clawpool_engine::client::view::ErrorView;

/// Each status that a refusal may have, and what it says.
const REFUSALS: [(u16, &str); 12] = [
    (400, "The request is wrong: `message` says what, `field` where."),
    (401, "No token, or one that is not known or has expired."),
    (
        403,
        "The token lacks the scope, the tenant or the queue; or the server is read-only; or a web page asks.",
    ),
    (404, "Nothing of this name."),
    (405, "This address does not take this method."),
    (408, "The body came too slowly."),
    (
        409,
        "Too late, or something is in the way: the state does not allow it, or the id is that of another \
         task.",
    ),
    (413, "The body, or something in it, is too long."),
    (415, "The content type is not read here: send `application/json` or `application/msgpack`."),
    (422, "The `Idempotency-Key` was sent with another request before."),
    (500, "A fault that is not the caller's: the dispatcher's log has more."),
    (
        503,
        "A queue is full, a server does not answer, or the dispatcher starts. Ask again after `Retry-After`.",
    ),
];

/// The name of such an answer in the document.
fn name(status: u16) -> String {
    format!("Error{status}")
}

pub(super) fn refer(status: u16) -> RefOr<Response> {
    RefOr::Ref(Ref::from_response_name(name(status)))
}

/// All of them, by their names.
pub(super) fn all(schemas: &mut Schemas) -> Vec<(String, Response)> {
    REFUSALS.iter().map(|(status, about)| (name(*status), response(*status, about, schemas))).collect()
}

fn response(status: u16, about: &str, schemas: &mut Schemas) -> Response {
    let content = Content::new(Some(schemas.written::<ErrorView>()));
    let response = ResponseBuilder::new().description(about).content("application/json", content);
    let header = |kind: Type, about: &str| {
        let schema = utoipa::openapi::schema::ObjectBuilder::new().schema_type(kind).build();
        HeaderBuilder::new().schema(Some(Schema::Object(schema))).description(Some(about)).build()
    };
    match status {
        401 => response.header("WWW-Authenticate", header(Type::String, "`Bearer`.")),
        405 => response.header("Allow", header(Type::String, "The methods that it takes.")),
        503 => response.header("Retry-After", header(Type::Integer, "In seconds.")),
        _ => response,
    }
    .build()
}
