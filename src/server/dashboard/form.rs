//! Names and values, as forms and addresses have them.

use url::form_urlencoded::{byte_serialize, parse};

/// Those of a form or of an address.
#[derive(Clone, Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn read(text: &[u8]) -> Self {
        Self(parse(text).into_owned().collect())
    }

    /// The first value of this name that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(known, value)| known == name && !value.trim().is_empty());
        values.next().map(|(_, value)| value.trim())
    }

    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.text(name).is_some()
    }
}

/// An address with what is behind its question mark; what is empty is left out.
#[derive(Clone, Debug)]
pub(super) struct Address(String);

impl Address {
    pub(super) fn new(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    #[must_use]
    pub(super) fn with(mut self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        if let Some(value) = value.filter(|value| !value.as_ref().is_empty()) {
            self.0.push(if self.0.contains('?') { '&' } else { '?' });
            self.0.push_str(name);
            self.0.push('=');
            self.0.extend(byte_serialize(value.as_ref().as_bytes()));
        }
        self
    }

    pub(super) fn text(self) -> String {
        self.0
    }
}

/// A name as one part of a path, whatever letters it has.
pub(super) fn part(name: &str) -> String {
    byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_were_made() {
        let address = Address::new("/tasks").with("kind", Some("a&b=c d")).with("tenant", None::<&str>);
        let address = address.with("text", Some("ü#?")).text();
        assert_eq!(address, "/tasks?kind=a%26b%3Dc+d&text=%C3%BC%23%3F");
        let form = Form::read(address.split_once('?').unwrap().1.as_bytes());
        assert_eq!((form.text("kind"), form.text("text")), (Some("a&b=c d"), Some("ü#?")));
        assert_eq!(part("a b/c?"), "a%20b%2Fc%3F");
    }
}
