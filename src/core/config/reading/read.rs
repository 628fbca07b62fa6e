//! A table of settings becomes a configuration, value by value.

use toml::{Table, Value};

use super::{Key, Report, key::Step, nearest, redaction::HIDDEN, secret::touches_secret, shape::Shape};
use crate::config::Config;

/// Reads a table as a configuration and reports every value that does not fit, not only the first: each is
/// put back to its default (or taken out) and the reading goes on. `None` when even that does not give a
/// configuration.
pub(in crate::config) fn read(
    mut table: Table,
    defaults: &Table,
    shape: Shape<'_>,
    report: &mut Report,
) -> Option<Config> {
    loop {
        let error = match serde_path_to_error::deserialize::<_, Config>(table.clone()) {
            Ok(config) => return Some(config),
            Err(error) => error,
        };
        let key = Key::from(error.path());
        let message = error.inner().message().trim().to_owned();
        let original = report.original(&key);
        match missing(&message) {
            Some(name) => lacks(&original, name, report),
            None => mistyped(&original, key.find(&table), &message, defaults, shape, report),
        }
        if let [list @ .., Step::Index(index)] = original.0.as_slice() {
            report.note_removed(Key(list.to_vec()), *index);
        }
        if !key.mend(&mut table, key.find(defaults).cloned()) {
            return None;
        }
    }
}

fn missing(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

fn lacks(key: &Key, name: &str, report: &mut Report) {
    // It was there, unreadable, reported and taken out.
    if report.is_unread(&key.name(name)) {
        return;
    }
    let mut fix = format!("add {}", key.name(name));
    if let [Step::Name(section), Step::Name(policy)] = key.0.as_slice()
        && section == "retry"
        && let Some(class) = nearest(policy, crate::task::ErrorClass::ALL.map(|class| class.name()))
    {
        fix.push_str(&format!(", or did you mean retry.{class}?"));
    }
    report.unreadable("CP-1005", key, None, format!("it lacks the key {name:?}"), fix);
}

fn mistyped(
    key: &Key,
    value: Option<&Value>,
    message: &str,
    defaults: &Table,
    shape: Shape<'_>,
    report: &mut Report,
) {
    let hidden = touches_secret(key);
    let shown = match value {
        Some(Value::Table(_) | Value::Array(_)) | None => None,
        Some(_) if hidden => Some(HIDDEN.to_owned()),
        Some(value) => Some(value.to_string()),
    };
    let rule = if hidden { "it is not of the right type".to_owned() } else { message.to_owned() };
    let fix = variant(message)
        .filter(|_| !hidden)
        .or_else(|| default(key, defaults).filter(|_| !hidden))
        .unwrap_or_else(|| type_hint(key, shape).to_owned());
    report.unreadable("CP-1004", key, shown, rule, fix);
}

/// "did you mean …?" for serde's list of known words.
fn variant(message: &str) -> Option<String> {
    let mut words = message.strip_prefix("unknown variant ")?.split('`').skip(1).step_by(2);
    let word = words.next()?;
    nearest(word, words).map(|known| format!("did you mean \"{known}\"?"))
}

fn default(key: &Key, defaults: &Table) -> Option<String> {
    // The default of another list's element says nothing about this one.
    let in_list = key.0.iter().any(|step| matches!(step, Step::Index(_)));
    let default =
        key.find(defaults).filter(|default| !in_list && !default.is_table() && !default.is_array())?;
    Some(format!("the default is {default}"))
}

fn type_hint(key: &Key, shape: Shape<'_>) -> &'static str {
    let place = key.0.iter().try_fold(shape, |shape, step| shape.child(step));
    place.map_or("see `clawpool config schema`", Shape::hint)
}
