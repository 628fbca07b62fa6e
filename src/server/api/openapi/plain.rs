//! Makes schemas plainer for people and for generators of clients, without changing what they allow.

use schemars::Schema;
use serde_json::{Map, Value, json};

/// Doc comments are wrapped and have links; a document's text has neither.
pub(super) fn words(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text
            .split("\n\n")
            .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
            .map(|paragraph| unlinked(&paragraph))
            .collect::<Vec<_>>()
            .join("\n\n");
    }
}

/// `` [`Name`](place) `` and `` [`Name`] `` become `` `Name` ``.
fn unlinked(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        let Some((name, after)) = link.split_once("`]") else { break };
        plain += &format!("{before}`{name}`");
        rest = match after.strip_prefix('(').and_then(|place| place.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    plain + rest
}

/// A choice among names that are described one by one becomes a list of names, which every generator knows;
/// what they mean goes into the description.
pub(super) fn names(schema: &mut Schema) {
    let Some(choices) = schema.get("oneOf").and_then(Value::as_array) else { return };
    let named = |choice: &Value| {
        let about = choice.get("description").and_then(Value::as_str)?;
        Some((choice.get("const")?.as_str()?.to_owned(), about.to_owned()))
    };
    let Some(named) = choices.iter().map(named).collect::<Option<Vec<_>>>() else { return };
    let lines = named.iter().map(|(name, about)| format!("- `{name}`: {about}"));
    let lines = lines.collect::<Vec<_>>().join("\n");
    let about = schema.get("description").and_then(Value::as_str);
    let about = about.map_or_else(|| lines.clone(), |about| format!("{about}\n\n{lines}"));
    let names: Vec<String> = named.into_iter().map(|(name, _)| name).collect();
    schema.remove("oneOf");
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("enum".to_owned(), json!(names));
    schema.insert("description".to_owned(), json!(about));
}

/// Formats of numbers that OpenAPI has no name for say nothing that the bounds do not say.
pub(super) fn numbers(schema: &mut Schema) {
    let known = ["int32", "int64", "float", "double"];
    let format = schema.get("format").and_then(Value::as_str);
    if format.is_some_and(|format| format.starts_with("uint") && !known.contains(&format)) {
        schema.remove("format");
    }
}

/// What an answer may leave out is left out where there is none, and never null.
pub(super) fn absent(schema: &mut Schema) {
    let Some(map) = schema.as_object_mut() else { return };
    let needed = map.get("required").cloned().unwrap_or_default();
    let is_needed = |name: &String| needed.as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let Some(fields) = map.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (name, field) in fields {
        if let (false, Some(field)) = (is_needed(name), field.as_object_mut()) {
            without_null(field);
        }
    }
}

fn without_null(field: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = field.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            field.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = field.get_mut("anyOf") {
        choices.retain(|choice| *choice != json!({ "type": "null" }));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            field.remove("anyOf");
            for (key, value) in only {
                field.entry(key).or_insert(value);
            }
        }
    }
}
