//! Where a setting stands.

use std::fmt;

/// Where a setting stands: `worker.slots`, `rules[2].kinds`, `worker.patience."normal.p4"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) struct Key(pub(in crate::config) Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) enum Step {
    Name(String),
    Index(usize),
}

impl Step {
    pub(in crate::config) fn as_name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Index(_) => None,
        }
    }
}

impl Key {
    pub(in crate::config) fn name(&self, name: &str) -> Self {
        self.with(Step::Name(name.to_owned()))
    }

    pub(in crate::config) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut key = self.clone();
        key.0.push(step);
        key
    }

    /// Whether one of the two holds the other.
    pub(in crate::config) fn touches(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }

    /// The key and all that hold it, innermost first.
    pub(in crate::config) fn with_parents(&self) -> impl Iterator<Item = Self> {
        (1..=self.0.len()).rev().map(|length| Self(self.0[..length].to_vec()))
    }

    pub(in crate::config) fn find<'a>(&self, table: &'a toml::Table) -> Option<&'a toml::Value> {
        let (first, rest) = self.0.split_first()?;
        let Step::Name(first) = first else { return None };
        rest.iter().try_fold(table.get(first)?, |value, step| match step {
            Step::Name(name) => value.get(name),
            Step::Index(index) => value.get(index),
        })
    }

    /// Sets the value here, making the tables on the way.
    pub(in crate::config) fn set(&self, table: &mut toml::Table, value: toml::Value) {
        let Some((Step::Name(last), parents)) = self.0.split_last() else { return };
        let mut table = table;
        for step in parents {
            let Step::Name(name) = step else { return };
            let entry = table.entry(name.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            let toml::Value::Table(inner) = entry else { return };
            table = inner;
        }
        table.insert(last.clone(), value);
    }

    /// Takes the value here out, or puts `instead` in its place. False when there is none.
    pub(in crate::config) fn mend(&self, table: &mut toml::Table, instead: Option<toml::Value>) -> bool {
        let Some((last, parents)) = self.0.split_last() else { return false };
        match (self.parent(table, parents.len()), last) {
            (Some(Parent::Table(table)), Step::Name(name)) => match instead {
                Some(value) => table.insert(name.clone(), value).is_some(),
                None => table.remove(name).is_some(),
            },
            (Some(Parent::Array(items)), Step::Index(index)) if *index < items.len() => {
                items.remove(*index);
                true
            }
            _ => false,
        }
    }

    fn parent<'a>(&self, table: &'a mut toml::Table, length: usize) -> Option<Parent<'a>> {
        let mut at = Parent::Table(table);
        for step in &self.0[..length] {
            let inner = match (at, step) {
                (Parent::Table(table), Step::Name(name)) => table.get_mut(name)?,
                (Parent::Array(items), Step::Index(index)) => items.get_mut(*index)?,
                _ => return None,
            };
            at = match inner {
                toml::Value::Table(table) => Parent::Table(table),
                toml::Value::Array(items) => Parent::Array(items),
                _ => return None,
            };
        }
        Some(at)
    }
}

enum Parent<'a> {
    Table(&'a mut toml::Table),
    Array(&'a mut Vec<toml::Value>),
}

/// From a dotted path of plain names.
impl From<&str> for Key {
    fn from(path: &str) -> Self {
        Self(path.split('.').map(|name| Step::Name(name.to_owned())).collect())
    }
}

impl From<&Self> for Key {
    fn from(key: &Self) -> Self {
        key.clone()
    }
}

impl From<&serde_path_to_error::Path> for Key {
    fn from(path: &serde_path_to_error::Path) -> Self {
        use serde_path_to_error::Segment;
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Name(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        Self(path.iter().filter_map(step).collect())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Name(name) => {
                    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                    let dot = if position > 0 { "." } else { "" };
                    if plain && !name.is_empty() {
                        write!(f, "{dot}{name}")?
                    } else {
                        write!(f, "{dot}{name:?}")?
                    }
                }
            }
        }
        Ok(())
    }
}
