//! Kinds of tasks, and the patterns that stand for many of them.
//!
//! Guarantees: a pattern means the same wherever one is written (rules, handlers, pools, filters,
//! heartbeats), and whether one covers or meets another is known exactly. Never does: guess.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

const STAR: char = '*';

/// The first character that no kind has: a kind has ASCII letters, digits and `. _ - : /` only.
pub fn strange_character(kind: &str) -> Option<char> {
    kind.chars().find(|&character| !character.is_ascii_alphanumeric() && !"._-:/".contains(character))
}

/// A kind (`email.send`), or a pattern with stars (`email.*`), each of which stands for any letters or none:
/// `voice.*` matches `voice.call` and `voice.`, not `voice`; `*` matches every kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct KindPattern {
    text: String,
    /// Where the first star stands; what comes before it begins every kind that matches.
    star: Option<usize>,
}

impl KindPattern {
    /// Matches every kind.
    pub fn any() -> Self {
        Self { text: STAR.to_string(), star: Some(0) }
    }

    /// Of a text without stars.
    pub(super) fn exactly(text: &str) -> Self {
        Self { text: text.to_owned(), star: None }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The one kind that it matches, when it has no star.
    pub fn single(&self) -> Option<&str> {
        if self.star.is_none() { Some(&self.text) } else { None }
    }

    /// How many letters it names. Of two patterns that match a kind, the one with more of them is the closer
    /// one.
    pub fn letters(&self) -> usize {
        self.text.len() - self.text.matches(STAR).count()
    }

    /// Whether it stands for this kind.
    pub fn matches(&self, kind: &str) -> bool {
        let Some(star) = self.star else { return self.text == kind };
        let first = &self.text[..star];
        let runs = &self.text[star + 1..];
        let Some(rest) = kind.strip_prefix(first) else { return false };
        let (middle, last) = runs.rsplit_once(STAR).unwrap_or(("", runs));
        rest.strip_suffix(last).is_some_and(|rest| in_order(middle, rest))
    }

    /// Whether it matches every kind that `narrow` matches: a star of `narrow` is a character that only stars
    /// match.
    pub(crate) fn covers(&self, narrow: &Self) -> bool {
        self.matches(&narrow.text)
    }

    /// Whether some kind matches both: what stands between the first and the last star can always be put side
    /// by side.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        match (self.single(), other.single()) {
            (Some(kind), _) => other.matches(kind),
            (None, Some(kind)) => self.matches(kind),
            (None, None) => {
                let ((first, last), (first_of_other, last_of_other)) = (self.ends(), other.ends());
                (first.starts_with(first_of_other) || first_of_other.starts_with(first))
                    && (last.ends_with(last_of_other) || last_of_other.ends_with(last))
            }
        }
    }

    /// What comes before the first star, and after the last.
    fn ends(&self) -> (&str, &str) {
        let (first, rest) = self.text.split_once(STAR).unwrap_or((&self.text, &self.text));
        (first, rest.rsplit_once(STAR).map_or(rest, |(_, last)| last))
    }
}

/// Whether the runs between stars are found in the text, one after the other.
fn in_order(runs: &str, mut text: &str) -> bool {
    runs.split(STAR).all(|run| {
        let found = text.find(run);
        text = found.map_or("", |at| &text[at + run.len()..]);
        found.is_some()
    })
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// There is nothing in it.
    #[error("an empty pattern matches no kind: write a kind (\"email.send\") or a pattern (\"email.*\")")]
    Empty,
    /// No kind has such a character, so it would match none.
    #[error(
        "{text:?} contains {character:?}: a pattern has what kinds have, ASCII letters, digits and . _ - : \
        /, and stars"
    )]
    Character {
        /// The whole pattern.
        text: String,
        /// The first one that does not belong.
        character: char,
    },
}

impl TryFrom<String> for KindPattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        if text.is_empty() {
            return Err(BadPattern::Empty);
        }
        if let Some(character) = text.split(STAR).find_map(strange_character) {
            return Err(BadPattern::Character { text, character });
        }
        Ok(Self { star: text.find(STAR), text })
    }
}

impl FromStr for KindPattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for KindPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Serialize for KindPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl JsonSchema for KindPattern {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "KindPattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9._:/*-]+$" })
    }
}
