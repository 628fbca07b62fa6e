//! Keys that no section knows.

use toml::Value;

use super::{Key, Report, key::Step, nearest, shape::Shape};

/// Takes unknown keys out, and reports each with the name it was likely meant to be.
pub(in crate::config) fn refuse_unknown(value: &mut Value, shape: Shape<'_>, key: &Key, report: &mut Report) {
    match value {
        Value::Table(table) if shape.is_table() => {
            let mut unknown = Vec::new();
            for (name, value) in table.iter_mut() {
                let key = key.name(name);
                match shape.child(&Step::Name(name.clone())) {
                    Some(shape) => refuse_unknown(value, shape, &key, report),
                    None => unknown.push(name.clone()),
                }
            }
            for name in unknown {
                table.remove(&name);
                let fix = match nearest(&name, shape.names()) {
                    Some(known) => format!("did you mean {}?", key.name(known)),
                    None => format!("use one of {}", shape.names().collect::<Vec<_>>().join(", ")),
                };
                report.add("CP-1003", &key.name(&name), "there is no such key", fix);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                if let Some(shape) = shape.child(&Step::Index(index)) {
                    refuse_unknown(item, shape, &key.index(index), report);
                }
            }
        }
        _ => {}
    }
}
