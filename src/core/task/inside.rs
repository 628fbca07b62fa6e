//! What is looked for inside of a task: its session, its notes, and text in what its producer sent.
//!
//! Guarantees: a look costs as much as the payload is long, and no memory. Never does: read a record; where a
//! task's story is, its callers know.

use std::{collections::BTreeMap, fmt::Write};

use super::{
    Payload, Story, Task,
    scan::{Item, Scanner},
};

/// All that are given must hold; a task that nothing is known of meets none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// As the producer named it.
    pub session: Option<String>,
    /// A name that `meta` has, or `name=value`.
    pub tag: Option<String>,
    /// Somewhere in a text, a name or a number of the payload, or in `meta`; capitals are as small letters.
    pub text: Option<String>,
}

impl Inside {
    /// No condition is longer, in bytes.
    pub const LONGEST: usize = 256;

    /// Whether every task is meant.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The first condition that is too long.
    pub fn too_long(&self) -> Option<&'static str> {
        let all = [("session", &self.session), ("tag", &self.tag), ("text", &self.text)];
        let is_long = |text: &&Option<String>| text.as_ref().is_some_and(|text| text.len() > Self::LONGEST);
        all.into_iter().find(|(_, text)| is_long(text)).map(|(name, _)| name)
    }

    /// Of a task whose envelope is there.
    pub fn matches_task(&self, task: &Task) -> bool {
        self.matches(task.session.as_deref(), &task.meta, Some(&task.payload))
    }

    /// Of a task whose story is known. A payload that was too long to be kept has no text.
    pub fn matches_story(&self, story: &Story) -> bool {
        self.matches(story.session.as_deref(), &story.meta, story.payload())
    }

    fn matches(
        &self,
        session: Option<&str>,
        meta: &BTreeMap<String, String>,
        payload: Option<&Payload>,
    ) -> bool {
        self.session.as_deref().is_none_or(|wanted| session == Some(wanted))
            && self.tag.as_deref().is_none_or(|tag| has_tag(meta, tag))
            && self.text.as_deref().is_none_or(|text| {
                meta.iter().any(|(name, value)| has(name.as_bytes(), text) || has(value.as_bytes(), text))
                    || payload.is_some_and(|payload| tells(payload, text))
            })
    }
}

/// A name may have an equals sign itself, so that `a=b` is looked for as a name too.
fn has_tag(meta: &BTreeMap<String, String>, tag: &str) -> bool {
    let is_pair = |(name, value): (&str, &str)| meta.get(name).is_some_and(|noted| noted == value);
    meta.contains_key(tag) || tag.split_once('=').is_some_and(is_pair)
}

/// Bytes that are no value tell what comes before them.
fn tells(payload: &Payload, text: &str) -> bool {
    let mut scanner = Scanner::new(payload.as_message_pack());
    let mut number = String::with_capacity(32);
    while let Ok(item) = scanner.next() {
        number.clear();
        // Writing to memory does not fail.
        let _ = match item {
            Item::Unsigned(value) => write!(number, "{value}"),
            Item::Negative(value) => write!(number, "{value}"),
            Item::Float(value) => write!(number, "{value}"),
            _ => Ok(()),
        };
        let found = match item {
            Item::Text(value) => has(value.as_bytes(), text),
            Item::Bytes(value) | Item::Extension(_, value) => has(value, text),
            _ => has(number.as_bytes(), text),
        };
        if found {
            return true;
        }
    }
    false
}

fn has(bytes: &[u8], text: &str) -> bool {
    let text = text.as_bytes();
    text.is_empty() || bytes.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meets(inside: &Inside) -> bool {
        let payload = r#"{"to":"Ann@Example.org","parts":[1,-20,{"deep":[2.5,"Zürich"]}],"none":null}"#;
        let payload: Payload = serde_json::from_str(payload).unwrap();
        let meta = [("origin", "web"), ("a=b", "c")].map(|(name, value)| (name.into(), value.into()));
        inside.matches(Some("s1"), &meta.into(), Some(&payload))
    }

    #[test]
    fn text_is_found_in_texts_names_and_numbers_whatever_its_case() {
        let text = |text: &str| meets(&Inside { text: Some(text.into()), ..Inside::default() });
        for found in ["ann@example.ORG", "deep", "Zürich", "2.5", "-20", "WEB", "origin"] {
            assert!(text(found), "{found}");
        }
        for missing in ["bob", "to\":", "null", "Ann@Example.orgs"] {
            assert!(!text(missing), "{missing}");
        }
    }

    #[test]
    fn a_tag_is_a_note_and_all_conditions_must_hold() {
        let tag = |tag: &str| meets(&Inside { tag: Some(tag.into()), ..Inside::default() });
        assert!(tag("origin") && tag("origin=web") && tag("a=b"));
        assert!(!tag("origin=ftp") && !tag("web") && !tag("a"));
        let both = |session: &str| Inside {
            session: Some(session.into()),
            tag: Some("origin".into()),
            ..Inside::default()
        };
        assert!(meets(&both("s1")) && !meets(&both("s2")) && meets(&Inside::default()));
    }

    #[test]
    fn a_payload_that_is_no_value_ends_the_look() {
        let payload = Payload::from_message_pack(bytes::Bytes::from_static(&[0xa3, b'a']));
        let inside = Inside { text: Some("a".into()), ..Inside::default() };
        assert!(!inside.matches(None, &BTreeMap::new(), Some(&payload)));
    }
}
