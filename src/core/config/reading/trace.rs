//! Where in its file each key stands.

use toml::de::{DeTable, DeValue};

use super::Key;

/// Calls `found` with every key of a parsed file and its place in the text.
pub(super) fn trace(table: &DeTable<'_>, parent: &Key, found: &mut impl FnMut(Key, usize)) {
    for (name, value) in table {
        let key = parent.name(name.get_ref());
        found(key.clone(), name.span().start);
        trace_value(value.get_ref(), &key, found);
    }
}

fn trace_value(value: &DeValue<'_>, key: &Key, found: &mut impl FnMut(Key, usize)) {
    match value {
        DeValue::Table(table) => trace(table, key, found),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let key = key.index(index);
                found(key.clone(), item.span().start);
                trace_value(item.get_ref(), &key, found);
            }
        }
        _ => {}
    }
}
