//! What a configuration may hold, from its own JSON schema.

use serde_json::Value;

use super::key::Step;

/// What the JSON schema says of one place in a configuration: which keys it knows and whether it is text.
#[derive(Clone, Copy)]
pub(in crate::config) struct Shape<'a> {
    root: &'a Value,
    node: &'a Value,
}

impl<'a> Shape<'a> {
    pub(in crate::config) fn new(root: &'a Value) -> Self {
        Self { root, node: root }
    }

    /// Follows references, and looks through "this or nothing".
    fn at(root: &'a Value, mut node: &'a Value) -> Self {
        loop {
            if let Some(name) = node["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
                node = &root["$defs"][name];
            } else if let Some(choice) = node["anyOf"].as_array().and_then(|choices| choices.first()) {
                node = choice;
            } else {
                return Self { root, node };
            }
        }
    }

    /// `None` when the place knows no such key.
    pub(in crate::config) fn child(self, step: &Step) -> Option<Self> {
        let node = match step {
            Step::Index(_) => self.node.get("items")?,
            Step::Name(name) => match self.node["properties"].get(name) {
                Some(node) => node,
                None => self.node.get("additionalProperties").filter(|rest| rest.is_object())?,
            },
        };
        Some(Self::at(self.root, node))
    }

    /// The names it knows; none where any name will do.
    pub(in crate::config) fn names(self) -> impl Iterator<Item = &'a str> {
        self.node["properties"].as_object().into_iter().flat_map(|names| names.keys().map(String::as_str))
    }

    /// Whether it is a section with keys of its own, or a table of the user's names.
    pub(in crate::config) fn is_table(self) -> bool {
        self.has_type("object")
    }

    pub(in crate::config) fn is_text(self) -> bool {
        self.has_type("string") || self.node.get("oneOf").is_some()
    }

    fn has_type(self, name: &str) -> bool {
        match &self.node["type"] {
            Value::String(kind) => kind == name,
            Value::Array(kinds) => kinds.iter().any(|kind| kind == name),
            _ => false,
        }
    }

    /// What to write here, in words.
    pub(in crate::config) fn hint(self) -> &'static str {
        match self.node["type"].as_str().or_else(|| self.node["type"][0].as_str()) {
            Some("integer") => "write a whole number within its range",
            Some("number") => "write a number",
            Some("boolean") => "write true or false",
            Some("array") => "write a list: [ … ]",
            Some("object") => "write a table of keys",
            _ => "write text in quotes, as `clawpool config schema` describes it",
        }
    }
}
