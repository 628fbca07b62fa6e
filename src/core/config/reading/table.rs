//! TOML tables: one merged over another, searched for a text.

use toml::{Table, Value};

/// Tables merge key by key; anything else replaces what was there.
pub(super) fn merge(base: &mut Table, over: Table) {
    for (name, value) in over {
        match (base.get_mut(&name), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(name, value);
            }
        }
    }
}

/// Whether one of the texts is a value in the table, at any depth.
pub(super) fn mentions(table: &Table, texts: &[&str]) -> bool {
    fn holds(value: &Value, texts: &[&str]) -> bool {
        match value {
            Value::String(text) => texts.contains(&text.as_str()),
            Value::Array(items) => items.iter().any(|item| holds(item, texts)),
            Value::Table(table) => mentions(table, texts),
            _ => false,
        }
    }
    table.values().any(|value| holds(value, texts))
}
