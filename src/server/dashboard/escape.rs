//! What others wrote, as text of a page.
//!
//! Guarantees: no character of it is markup, ends an attribute, is invisible to the reader, or turns the
//! direction of the text around it. Never does: leave anything out.

use std::fmt::{self, Write};

use askama::filters::Escaper;

/// For every value in every template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, character) in text.char_indices() {
            if is_plain(character) {
                continue;
            }
            dest.write_str(&text[plain..at])?;
            plain = at + character.len_utf8();
            write(&mut dest, character)?;
        }
        dest.write_str(&text[plain..])
    }
}

const fn is_plain(character: char) -> bool {
    !matches!(character, '<' | '>' | '&' | '"' | '\'' | '`') && !is_unseen(character)
}

/// Nobody would see it, or it turns the text around it.
pub(super) const fn is_unseen(character: char) -> bool {
    matches!(character,
        '\0'..='\x08' | '\x0b'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn write(dest: &mut impl Write, character: char) -> fmt::Result {
    match character {
        '<' => dest.write_str("&lt;"),
        '>' => dest.write_str("&gt;"),
        '&' => dest.write_str("&amp;"),
        '"' => dest.write_str("&quot;"),
        '\'' => dest.write_str("&#39;"),
        '`' => dest.write_str("&#96;"),
        // Nobody sees it in a text, and every Windows file has it.
        '\r' => dest.write_str("\u{240d}"),
        '\0'..='\x1f' => dest.write_char(char::from_u32(0x2400 + character as u32).unwrap_or('\u{fffd}')),
        '\x7f' => dest.write_char('\u{2421}'),
        other => write!(dest, "\u{27e8}U+{:04X}\u{27e9}", other as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        Visible.write_escaped_str(&mut out, text).unwrap();
        out
    }

    #[test]
    fn markup_becomes_text_and_what_is_invisible_is_shown() {
        for (text, shown) in [
            ("<script>alert('x')</script>", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"),
            ("\" onload=`x` &", "&quot; onload=&#96;x&#96; &amp;"),
            ("a\0b\x1b[31mc\x7f", "a\u{2400}b\u{241b}[31mc\u{2421}"),
            ("\u{202e}drow\u{2066}", "⟨U+202E⟩drow⟨U+2066⟩"),
            ("a\u{9b}b\u{feff}c", "a⟨U+009B⟩b⟨U+FEFF⟩c"),
            ("line\n\tline ü 漢 🦞", "line\n\tline ü 漢 🦞"),
            ("", ""),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }
}
