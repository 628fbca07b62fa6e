//! The document of the API holds what the router and the types hold.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Map, Value, json};

use super::{Server, route_table::TABLE};
use crate::api::openapi::{document, text};
use clawpool_core::config::{Config, Scope};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Each operation with its path and method.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let item = item.as_object().unwrap();
        assert!(item.keys().all(|key| METHODS.contains(&key.as_str())), "{path}");
        item.iter()
            .map(|(method, operation)| (path.clone(), method.to_uppercase(), operation.clone()))
            .collect()
    };
    paths.iter().flat_map(of_path as fn(_) -> Vec<_>).collect()
}

#[test]
fn the_file_in_the_repository_is_what_the_code_makes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    // As snapshots are accepted.
    if std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "always") {
        fs::write(&file, text()).unwrap();
    }
    let kept = fs::read_to_string(file).unwrap_or_default().replace("\r\n", "\n");
    let differs = "docs/openapi.json is of another API: cargo run --bin clawpool openapi > docs/openapi.json";
    assert!(kept == text(), "{differs}");
}

#[test]
fn every_route_is_in_it_with_its_scopes_and_nothing_else() {
    let document = document();
    let told: BTreeSet<(String, String, Vec<String>)> = operations(&document)
        .into_iter()
        .map(|(path, method, operation)| (path, method, scopes(&operation)))
        .collect();
    let names = |scopes: &[Scope]| scopes.iter().map(ToString::to_string).collect();
    let routes: BTreeSet<_> =
        TABLE.iter().map(|row| (row.path.to_owned(), row.method.to_string(), names(row.scopes))).collect();
    assert_eq!(told, routes);
}

/// In numbers, with units in their names: `retry_after_s`. Text is taken, and never told.
#[test]
fn no_answer_tells_a_duration_as_text() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let fields = schemas.iter().flat_map(|(name, schema)| {
        let properties = schema["properties"].as_object().into_iter().flatten();
        properties.map(move |(field, schema)| (format!("{name}.{field}"), schema))
    });
    let texts: Vec<String> = fields
        .filter(|(_, schema)| schema["examples"] == json!(["1m 30s"]))
        .map(|(field, _)| field)
        .collect();
    assert!(texts.is_empty(), "{texts:?}");
}

/// Any of these is enough.
fn scopes(operation: &Value) -> Vec<String> {
    let all = operation["security"].as_array().unwrap();
    all.iter().map(|one| one["token"][0].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_operation_has_a_name_of_its_own_a_known_topic_and_its_parts_of_the_path() {
    let document = document();
    let mut ids = BTreeSet::new();
    let topics: Vec<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (path, method, operation) in operations(&document) {
        let place = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].to_string()), "{place}: twice");
        assert!(topics.contains(&&operation["tags"][0]), "{place}: {}", operation["tags"]);
        assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 8), "{place}");
        let none = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&none);
        let named: Vec<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let parts: Vec<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        assert_eq!(named, parts, "{place}");
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{place}");
    }
}

#[test]
fn everything_in_it_is_described_and_found() {
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        described(name, schema.as_object().unwrap());
    }
    for (path, method, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let place = format!("{method} {path} {}", parameter["name"]);
            assert!(parameter["description"].as_str().is_some_and(|text| text.len() > 5), "{place}");
            assert!(parameter["schema"].as_object().is_some_and(|schema| !schema.is_empty()), "{place}");
        }
    }
    found(&document, &document);
}

/// Each schema, each field, and each field of what is within.
fn described(place: &str, schema: &Map<String, Value>) {
    assert!(schema.contains_key("description"), "{place} has no doc comment");
    let fields = schema.get("properties").and_then(Value::as_object);
    for (name, field) in fields.into_iter().flatten() {
        described(&format!("{place}.{name}"), field.as_object().unwrap());
    }
}

/// Each reference leads somewhere, and each content has a schema.
fn found(document: &Value, value: &Value) {
    match value {
        Value::Object(map) => {
            if let Some(place) = map.get("$ref").and_then(Value::as_str) {
                assert!(document.pointer(place.trim_start_matches('#')).is_some(), "{place}");
            }
            for content in map.get("content").and_then(Value::as_object).into_iter().flatten() {
                assert_ne!(content.1["schema"], json!({}), "{}", content.0);
                assert_ne!(content.1["schema"], json!({ "default": null }), "{}", content.0);
            }
            map.values().for_each(|value| found(document, value));
        }
        Value::Array(items) => items.iter().for_each(|value| found(document, value)),
        _ => {}
    }
}

#[tokio::test]
async fn it_is_served_with_a_page_that_asks_nobody_else() {
    let server = Server::cut_off(Config::default()).await;
    let (status, served) = server.call(reqwest::Method::GET, "/openapi.json").await;
    assert_eq!((status.as_u16(), served), (200, document()));
    let page = server.request(reqwest::Method::GET, "/docs").send().await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let page = page.text().await.unwrap();
    assert!(page.contains("openapi.json") && !page.contains("://"), "{page}");
    server.stop().await;
}
