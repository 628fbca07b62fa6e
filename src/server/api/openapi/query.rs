//! The parameters of routes, each with what it takes.

use serde_json::{Value, json};
use utoipa::openapi::{
    RefOr, Required,
    path::{Parameter, ParameterBuilder, ParameterIn},
    schema::Schema,
};

use crate::api::query::{LARGEST_PAGE, PAGE};
use clawpool_core::task::Inside;

/// How long ago, as people write it. Other units are read as well.
const SPAN: &str = "^[0-9]{1,5}(ms|s|m|h|d)$";

fn query(name: &str, about: impl Into<String>, schema: Value) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(typed(schema)))
        .build()
}

fn typed(schema: Value) -> RefOr<Schema> {
    serde_json::from_value(schema).unwrap_or_else(|_| RefOr::T(Schema::default()))
}

/// A header of this form.
pub(in crate::api) fn header(name: &str, about: &str, pattern: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(typed(json!({ "type": "string", "pattern": pattern }))))
        .build()
}

/// The part of the path that names something.
pub(in crate::api) fn name(name: &str, about: &str) -> Parameter {
    part(name, about, json!({ "type": "string", "minLength": 1 }))
}

/// The part of the path that names a task: its id, or the end of that.
pub(in crate::api) fn task(about: &str) -> Parameter {
    let about = format!("{about} Its last six digits or more will do, of a task that came lately.");
    part("id", &about, json!({ "type": "string", "pattern": "^[0-9a-fA-F-]{6,36}$" }))
}

/// What is looked for inside of tasks.
pub(in crate::api) fn inside() -> [Parameter; 3] {
    let most = Inside::LONGEST;
    let short =
        |name, about| query(name, about, json!({ "type": "string", "minLength": 1, "maxLength": most }));
    [
        short("session", "Of this session."),
        short("tag", "With this note in `meta`: its name, or `name=value`."),
        short("text", "With this text in the payload or in `meta`; capitals are as small letters."),
    ]
}

/// The part of the path that is an id.
pub(in crate::api) fn id(about: &str) -> Parameter {
    part("id", about, json!({ "type": "string", "format": "uuid" }))
}

fn part(name: &str, about: &str, schema: Value) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(about))
        .schema(Some(typed(schema)))
        .build()
}

pub(in crate::api) fn text(name: &str, about: &str) -> Parameter {
    query(name, about, json!({ "type": "string", "minLength": 1 }))
}

/// A text of this form.
pub(in crate::api) fn form(name: &str, about: &str, pattern: &str) -> Parameter {
    query(name, about, json!({ "type": "string", "pattern": pattern }))
}

/// One of these words.
pub(in crate::api) fn word(
    name: &str,
    about: &str,
    words: impl IntoIterator<Item = &'static str>,
) -> Parameter {
    let words: Vec<&str> = words.into_iter().collect();
    query(name, about, json!({ "type": "string", "enum": words }))
}

/// Some of these words, with commas between them.
pub(in crate::api) fn words(
    name: &str,
    about: &str,
    words: impl IntoIterator<Item = &'static str>,
) -> Parameter {
    let words: Vec<&str> = words.into_iter().collect();
    let one = words.join("|");
    let about = format!("{about} One or several with commas between them, of: {}.", words.join(", "));
    query(name, about, json!({ "type": "string", "pattern": format!("^({one})(,({one}))*$") }))
}

pub(in crate::api) fn flag(name: &str, about: &str) -> Parameter {
    query(name, about, json!({ "type": "boolean", "default": false }))
}

pub(in crate::api) fn whole(name: &str, about: &str, least: u64, most: u64) -> Parameter {
    query(name, about, json!({ "type": "integer", "minimum": least, "maximum": most }))
}

/// A moment.
pub(in crate::api) fn time(name: &str, about: &str) -> Parameter {
    let about = format!("{about} RFC 3339, milliseconds since 1970 (UTC), or how long ago: `1h`.");
    let millis = json!({ "type": "integer", "minimum": 0 });
    let schema = json!({
        "anyOf": [{ "type": "string", "format": "date-time" }, millis, { "type": "string", "pattern": SPAN }],
    });
    query(name, about, schema)
}

pub(in crate::api) fn since(what: &str) -> Parameter {
    time("since", &format!("{what} at this time or later."))
}

pub(in crate::api) fn until(what: &str) -> Parameter {
    time("until", &format!("{what} before this time."))
}

/// For how long an answer may be held back.
pub(in crate::api) fn wait(about: &str) -> Parameter {
    let about = format!("{about} With a unit (`10s`, `500ms`) or in seconds; 60 s at most.");
    let text = "^([0-9]|[1-5][0-9]|60)s?$|^[0-9]{1,4}ms$";
    query("wait", about, json!({ "type": "string", "pattern": text }))
}

pub(in crate::api) fn kind() -> Parameter {
    form("kind", "A kind (`email.send`), or a pattern (`email.*`).", "^[A-Za-z0-9._:/*-]+$")
}

pub(in crate::api) fn priority() -> Parameter {
    form("priority", "`P0`, the most urgent, to `P6`.", "^[Pp]?[0-6]$")
}

pub(in crate::api) fn tenant() -> Parameter {
    text("tenant", "Of this tenant. A token for one tenant need not say it.")
}

pub(in crate::api) fn pool() -> Parameter {
    text("pool", "The name of a pool.")
}

pub(in crate::api) fn cursor() -> Parameter {
    let about = "Where to go on: `next` of the page before, as it came. Without it: the first page.";
    query("cursor", about, json!({ "type": "string" }))
}

/// The two that every listing in pages has.
pub(in crate::api) fn page() -> [Parameter; 2] {
    [
        cursor(),
        query(
            "limit",
            "Entries of a page.",
            json!({ "type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE }),
        ),
    ]
}
