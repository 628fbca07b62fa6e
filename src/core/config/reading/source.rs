//! Where settings come from, weakest first: the defaults, the file, the environment, `--set`.

use std::path::Path;

use toml::{Table, Value, de::DeTable};

use super::{
    Key, Report,
    assignment::{ENVIRONMENT, assignment, path_of},
    key::Step,
    shape::Shape,
    table::{mentions, merge},
    trace::trace,
};
use crate::task::Queue;

/// All sources as one table, with the origin of each value in the report.
pub(in crate::config) struct Sources<'a> {
    pub(in crate::config) merged: Table,
    pub(in crate::config) shape: Shape<'a>,
    pub(in crate::config) report: &'a mut Report,
}

impl Sources<'_> {
    pub(in crate::config) fn file(&mut self, path: &Path) {
        let shown = path.display().to_string();
        self.report.file = Some(path.to_owned());
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

    pub(in crate::config) fn text(&mut self, text: &str, name: &str) {
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
    pub(in crate::config) fn variable(&mut self, name: &str, value: &str) {
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
    pub(in crate::config) fn near_miss(&mut self, name: &str) {
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
        let mut names = known.chain(present).chain(Queue::CLASSES.map(Queue::name));
        names.find(|name| plain(name) == plain(word)).map_or_else(|| word.to_lowercase(), str::to_owned)
    }

    /// `--set worker.slots=20`
    pub(in crate::config) fn flag(&mut self, text: &str) {
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
