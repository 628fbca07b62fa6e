//! Where settings come from, weakest first: the defaults, the file, the environment, `--set`.

use std::path::Path;

use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

use super::{
    key::{Key, Step},
    nearest::nearest,
    report::Report,
    shape::Shape,
};
use crate::task::Queue;

pub(super) const ENVIRONMENT: &str = "CLAWPOOL__";

/// All sources as one table, with the origin of each value in the report.
pub(super) struct Sources<'a> {
    pub(super) merged: Table,
    pub(super) shape: Shape<'a>,
    pub(super) report: &'a mut Report,
}

impl Sources<'_> {
    pub(super) fn file(&mut self, path: &Path) {
        let shown = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let rule = format!("the configuration file {shown} cannot be read: {error}");
                return self.report.add(
                    "CP-1001",
                    &Key::default(),
                    rule,
                    "name a readable file with --config",
                );
            }
        };
        self.text(&text, &shown);
    }

    pub(super) fn text(&mut self, text: &str, name: &str) {
        let (spanned, mistakes) = DeTable::parse_recoverable(text);
        let line = |at: usize| text[..text.floor_char_boundary(at)].matches('\n').count() + 1;
        for mistake in &mistakes {
            let place =
                mistake.span().map_or_else(|| name.to_owned(), |span| format!("{name}:{}", line(span.start)));
            let rule = format!("{place}: this is not TOML: {}", mistake.message());
            self.report.add("CP-1002", &Key::default(), rule, "correct the line");
        }
        let table = toml::from_str::<Table>(text);
        if let (true, Ok(table)) = (mistakes.is_empty(), table) {
            trace(spanned.get_ref(), &Key::default(), &mut |key, at| {
                self.report.origins.insert(key, format!("{name}:{}", line(at)));
            });
            merge(&mut self.merged, table);
        }
    }

    /// `CLAWPOOL__WORKER__SLOTS=20`
    pub fn variable(&mut self, name: &str, value: &str) {
        let Some(path) = name.strip_prefix(ENVIRONMENT) else { return };
        let mut key = Key::default();
        let mut shape = Some(self.shape);
        for word in path.split("__") {
            let step = self.spelling(&key, shape, word);
            shape = shape.and_then(|shape| shape.child(&Step::Name(step.clone())));
            key = key.name(&step);
        }
        self.put(&key, value, name.to_owned());
    }

    /// `CLAWPOOL_WORKER_SLOTS` sets nothing: its author meant `CLAWPOOL__WORKER__SLOTS`. A variable that the
    /// configuration names itself (`env:NAME`) is its user's own.
    pub(super) fn near_miss(&mut self, name: &str) {
        let Some(words) = name.strip_prefix("CLAWPOOL_") else { return };
        let Some(path) = path_of(self.shape, &words.replace("__", "_")) else { return };
        let named = format!("env:{name}");
        if !mentions(&self.merged, &[name, &named]) {
            let fix = format!("write {ENVIRONMENT}{path}, with two underscores, or unset it");
            self.report.add("CP-1003", &Key::default(), format!("the variable {name} sets nothing"), fix);
        }
    }

    /// Variables are upper-case and have no dots, so `NORMAL_P4` stands for `normal.p4`.
    fn spelling(&self, parent: &Key, shape: Option<Shape<'_>>, word: &str) -> String {
        let plain = |text: &str| text.to_lowercase().replace('.', "_");
        let table = if parent.0.is_empty() {
            Some(&self.merged)
        } else {
            parent.find(&self.merged).and_then(Value::as_table)
        };
        let known = shape.into_iter().flat_map(Shape::names);
        let present = table.into_iter().flat_map(|table| table.keys().map(String::as_str));
        let mut names = known.chain(present).chain(Queue::ALL.map(Queue::name));
        names.find(|name| plain(name) == plain(word)).map_or_else(|| word.to_lowercase(), str::to_owned)
    }

    /// `--set worker.slots=20`
    pub(super) fn flag(&mut self, text: &str) {
        let path = text.split('=').next().unwrap_or_default();
        match assignment(text) {
            Some((key, value)) => self.put(&key, value, format!("--set {path}")),
            None => {
                let rule = format!("--set {path} is not of the form KEY=VALUE");
                self.report.add("CP-1009", &Key::default(), rule, "write for example --set worker.slots=20");
            }
        }
    }

    /// Text goes in as it is; anything else is read as a TOML value.
    fn put(&mut self, key: &Key, text: &str, origin: String) {
        let shape = key.0.iter().try_fold(self.shape, |shape, step| shape.child(step));
        let parsed = toml::from_str::<Table>(&format!("value = {text}"))
            .ok()
            .and_then(|mut table| table.remove("value"));
        let value = match parsed {
            Some(Value::String(quoted)) => Value::String(quoted),
            Some(value) if !shape.is_some_and(Shape::is_text) => value,
            _ => Value::String(text.to_owned()),
        };
        self.report.origins.retain(|known, _| !known.0.starts_with(&key.0));
        self.report.origins.insert(key.clone(), origin);
        key.set(&mut self.merged, value);
    }
}

/// The key that `words` spell with single underscores, as variables write it: `WORKER_STOP_GRACE` is
/// `WORKER__STOP_GRACE`.
fn path_of(shape: Shape<'_>, words: &str) -> Option<String> {
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

/// Whether one of the texts is a value in the table, at any depth.
fn mentions(table: &Table, texts: &[&str]) -> bool {
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

/// `KEY=VALUE`, taken apart. The TOML parser knows how dotted and quoted keys are written.
fn assignment(text: &str) -> Option<(Key, &str)> {
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

/// Calls `found` with every key of a parsed file and its place in the text.
fn trace(table: &DeTable<'_>, parent: &Key, found: &mut impl FnMut(Key, usize)) {
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

/// Takes unknown keys out, and reports each with the name it was likely meant to be.
pub(super) fn refuse_unknown(value: &mut Value, shape: Shape<'_>, key: &Key, report: &mut Report) {
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
