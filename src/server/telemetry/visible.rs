//! Text that others wrote (handlers, payloads, programs), so written that it can neither steer a terminal nor
//! pass for another line.
//!
//! Guarantees: of control characters, C1 controls and marks that turn the direction of text only the escape
//! is left, as JSON spells it, so that a JSON document stays the same document. Never does: change anything
//! else, or run where a parser needs the bytes as they were.

use std::{borrow::Cow, fmt, io};

/// Whether a character does something other than to stand there.
pub fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' |
        '\u{2066}'..='\u{2069}')
}

/// Which characters may stay that would be escaped elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    /// Line breaks and tabs, of text that has lines of its own.
    Lines,
}

impl Keep {
    fn escapes(self, character: char) -> bool {
        steers(character) && !(self == Self::Lines && matches!(character, '\n' | '\t'))
    }

    pub fn visible(self, text: &str) -> Cow<'_, str> {
        if !text.chars().any(|character| self.escapes(character)) {
            return Cow::Borrowed(text);
        }
        let mut visible = String::with_capacity(text.len() + 16);
        // Writing to a string does not fail.
        let _ = self.write(text, &mut visible);
        Cow::Owned(visible)
    }

    fn write(self, text: &str, out: &mut dyn fmt::Write) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|character| self.escapes(character)) {
            out.write_str(&rest[..at])?;
            let character = rest[at..].chars().next().unwrap_or_default();
            match character {
                '\r' if self == Self::Lines && rest[at..].starts_with("\r\n") => out.write_str("\r")?,
                '\n' => out.write_str("\\n")?,
                '\r' => out.write_str("\\r")?,
                '\t' => out.write_str("\\t")?,
                character => write!(out, "\\u{:04x}", u32::from(character))?,
            }
            rest = &rest[at + character.len_utf8()..];
        }
        out.write_str(rest)
    }
}

/// A line in the making.
pub(crate) struct Line<'a>(pub(crate) &'a mut dyn fmt::Write);

impl fmt::Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        Keep::Nothing.write(text, self.0)
    }
}

/// Lines in pieces that need not end between two characters. What is no UTF-8 is shown as such.
pub struct Lines<W> {
    out: W,
    /// The beginning of a character whose rest is to come.
    begun: Vec<u8>,
}

impl<W: io::Write> Lines<W> {
    pub const fn new(out: W) -> Self {
        Self { out, begun: Vec::new() }
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.begun.extend_from_slice(bytes);
        let mut rest = std::mem::take(&mut self.begun);
        let whole = match std::str::from_utf8(&rest) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => rest.len(),
        };
        self.begun = rest.split_off(whole);
        let text = String::from_utf8_lossy(&rest);
        self.out.write_all(Keep::Lines.visible(&text).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const HOSTILE: &str = "a\u{1b}[31mb\u{9b}2Jc\u{202e}d\re\u{7f}f\u{2066}g\u{2028}h\0";

    #[test]
    fn nothing_steers_and_the_rest_is_left() {
        let seen = Keep::Lines.visible(HOSTILE);
        assert_eq!(seen, "a\\u001b[31mb\\u009b2Jc\\u202ed\\re\\u007ff\\u2066g\\u2028h\\u0000");
        assert!(!seen.chars().any(steers));
        assert_eq!(Keep::Lines.visible("é 日本\n\tא\r\n"), "é 日本\n\tא\r\n");
        let mut line = String::new();
        write!(Line(&mut line), "two\nlines \u{85}").unwrap();
        assert_eq!(line, "two\\nlines \\u0085");
    }

    #[test]
    fn json_stays_the_same_document() {
        let document = serde_json::json!({"text": HOSTILE, "list": ["\u{202e}", 1]});
        let text = serde_json::to_string_pretty(&document).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&Keep::Lines.visible(&text)).unwrap(), document);
    }

    #[test]
    fn characters_that_come_in_pieces_stay_whole() {
        let text = format!("{HOSTILE} é日🙂\n");
        for size in 1..5 {
            let mut out = Vec::new();
            let mut lines = Lines::new(&mut out);
            text.as_bytes().chunks(size).for_each(|piece| lines.write(piece).unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), Keep::Lines.visible(&text));
        }
    }
}
