use std::fmt::{self, Write};

/// The way to a value inside of another one, for people: `items[3].price`. Empty at the top.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route(String);

impl Route {
    pub(super) fn key(&mut self, key: &str) {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@');
        if key.is_empty() || !key.chars().all(plain) {
            // Writing to a string does not fail.
            let _ = write!(self.0, "[{key:?}]");
            return;
        }
        if !self.0.is_empty() {
            self.0.push('.');
        }
        self.0.push_str(key);
    }

    pub(super) fn index(&mut self, index: usize) {
        let _ = write!(self.0, "[{index}]");
    }

    /// The same, from the top of `field`.
    pub fn within(&self, field: &str) -> String {
        match self.0.chars().next() {
            None => field.to_owned(),
            Some('[') => format!("{field}{self}"),
            Some(_) => format!("{field}.{self}"),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
