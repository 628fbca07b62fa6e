//! The shapes of bodies, taken from the types that are written and read.
//!
//! Guarantees: what an answer holds is described as it is written, what a request holds as it is read; one
//! type is one schema, unless the two differ, and then that of requests is named `…Input`.

use std::collections::BTreeSet;

use schemars::{
    JsonSchema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
    transform::RecursiveTransform,
};
use serde_json::{Map, Value};
use utoipa::openapi::{Ref, RefOr, schema::Schema};

use super::plain;

/// Where the schemas of a document are.
const WRITTEN: &str = "#/components/schemas/";
/// Where those of requests are meanwhile.
const READ: &str = "#/components/read/";
/// Ends the name of a request's schema that differs from an answer's.
const INPUT: &str = "Input";

/// Collects the schemas that a document refers to.
pub(in crate::api) struct Schemas {
    written: SchemaGenerator,
    read: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        Self {
            written: generator(Contract::Serialize, WRITTEN),
            read: generator(Contract::Deserialize, READ),
        }
    }

    /// As an answer has it.
    pub(in crate::api) fn written<T: JsonSchema>(&mut self) -> RefOr<Schema> {
        typed(self.written.subschema_for::<T>().to_value())
    }

    /// As a request has it.
    pub(in crate::api) fn read<T: JsonSchema>(&mut self) -> RefOr<Schema> {
        typed(self.read.subschema_for::<T>().to_value())
    }

    /// Puts all that was collected into a document, whose references lead there afterwards.
    pub(super) fn put_into(mut self, document: &mut Value) {
        let mut written = self.written.take_definitions(true);
        let read = self.read.take_definitions(true);
        let differing = differing(&written, &read);
        for (name, schema) in read {
            if differing.contains(&name) {
                written.insert(format!("{name}{INPUT}"), schema);
            } else {
                written.entry(name).or_insert(schema);
            }
        }
        document["components"]["schemas"] = Value::Object(written);
        lead(document, &|name| {
            format!("{WRITTEN}{name}{}", if differing.contains(name) { INPUT } else { "" })
        });
    }
}

fn generator(contract: Contract, path: &'static str) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.definitions_path = path.into();
        settings.contract = contract;
    });
    let settings = settings.with_transform(RecursiveTransform(plain::words));
    let settings = settings.with_transform(RecursiveTransform(plain::names));
    let settings = settings.with_transform(RecursiveTransform(plain::numbers));
    if path == WRITTEN {
        settings.with_transform(RecursiveTransform(plain::absent)).into_generator()
    } else {
        settings.into_generator()
    }
}

/// The names that stand for one thing in requests and for another in answers: it, or something in it.
fn differing(written: &Map<String, Value>, read: &Map<String, Value>) -> BTreeSet<String> {
    let mut differing = BTreeSet::new();
    loop {
        let known = differing.len();
        for (name, schema) in read {
            let mut schema = schema.clone();
            lead(&mut schema, &|inner| {
                format!("{WRITTEN}{inner}{}", if differing.contains(inner) { INPUT } else { "" })
            });
            if written.get(name).is_some_and(|other| *other != schema) {
                differing.insert(name.clone());
            }
        }
        if differing.len() == known {
            return differing;
        }
    }
}

/// Has the references to requests' schemas lead elsewhere.
fn lead(value: &mut Value, to: &impl Fn(&str) -> String) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str().and_then(|text| text.strip_prefix(READ)) {
                    Some(name) if key == "$ref" => *value = to(name).into(),
                    _ => lead(value, to),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|value| lead(value, to)),
        _ => {}
    }
}

/// What a body as a whole is: a reference. All else is among the named schemas.
fn typed(schema: Value) -> RefOr<Schema> {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(to) => RefOr::Ref(Ref::new(to)),
        None => serde_json::from_value(schema).unwrap_or_else(|_| RefOr::T(Schema::default())),
    }
}
