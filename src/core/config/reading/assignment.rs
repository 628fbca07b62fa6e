//! One setting as a text: `worker.slots=20` for `--set`, and the environment variable that means the same.

use toml::Table;

use super::{Key, key::Step, shape::Shape};

/// How the variables begin that are settings.
pub(in crate::config) const ENVIRONMENT: &str = "CLAWPOOL__";

/// `KEY=VALUE`, taken apart. The TOML parser knows how dotted and quoted keys are written.
pub(super) fn assignment(text: &str) -> Option<(Key, &str)> {
    let (path, value) = text.split_once('=').filter(|(path, _)| !path.contains('\n'))?;
    let table = toml::from_str::<Table>(&format!("{path} = 0")).ok()?;
    Some((innermost(&table), value))
}

/// The environment variable that means the same as a `--set` override, for child processes.
pub fn as_variable(text: &str) -> Option<(String, &str)> {
    let (key, value) = assignment(text)?;
    let words: Vec<String> =
        key.0.iter().filter_map(Step::as_name).map(|name| name.replace('.', "_").to_uppercase()).collect();
    Some((format!("{ENVIRONMENT}{}", words.join("__")), value))
}

/// The environment variable of a plain key such as `worker.slots`.
pub fn variable(key: &str) -> String {
    format!("{ENVIRONMENT}{}", key.replace('.', "__").to_uppercase())
}

/// The single key of a table that was parsed from `a.b.c = 0`.
fn innermost(table: &Table) -> Key {
    let mut key = Key::default();
    let mut at = Some(table);
    while let Some((name, value)) = at.and_then(|table| table.iter().next()) {
        key = key.name(name);
        at = value.as_table();
    }
    key
}

/// The key that `words` spell with single underscores, as variables write it: `WORKER_STOP_GRACE` is
/// `WORKER__STOP_GRACE`.
pub(super) fn path_of(shape: Shape<'_>, words: &str) -> Option<String> {
    shape.names().find_map(|name| {
        let known = name.to_uppercase();
        let rest = words.strip_prefix(&known)?;
        if rest.is_empty() {
            return Some(known);
        }
        let below = path_of(shape.child(&Step::Name(name.to_owned()))?, rest.strip_prefix('_')?)?;
        Some(format!("{known}__{below}"))
    })
}
