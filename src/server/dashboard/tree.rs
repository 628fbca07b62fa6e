//! A value of JSON as rows of a tree, which a page opens and closes.

use serde_json::Value;

use super::words::{count, cut};

/// What a template writes, one after the other.
pub(super) enum Row {
    /// Begins something that holds others.
    Open {
        key: String,
        about: String,
        is_open: bool,
    },
    Close,
    Leaf {
        key: String,
        class: &'static str,
        text: String,
    },
}

/// Rows of one value; the rest is told in one line.
const MOST: usize = 2_000;
/// Letters of one text.
const LONGEST: usize = 4_000;
/// Deeper parts are closed at first.
const OPEN: usize = 2;

pub(super) fn rows(value: &Value) -> Vec<Row> {
    let mut tree = Tree { rows: Vec::new(), left_out: 0 };
    tree.add(String::new(), value, 0);
    if tree.left_out > 0 {
        let text = format!("… and {} more: the API has all", count(tree.left_out));
        tree.rows.push(Row::Leaf { key: String::new(), class: "null", text });
    }
    tree.rows
}

struct Tree {
    rows: Vec<Row>,
    left_out: u64,
}

impl Tree {
    fn add(&mut self, key: String, value: &Value, depth: usize) {
        if self.rows.len() >= MOST {
            self.left_out += 1;
            return;
        }
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                self.open(key, format!("{{{}}}", count(fields.len() as u64)), depth);
                for (name, value) in fields {
                    self.add(cut(name, 200), value, depth + 1);
                }
                self.rows.push(Row::Close);
            }
            Value::Array(items) if !items.is_empty() => {
                self.open(key, format!("[{}]", count(items.len() as u64)), depth);
                for (at, value) in items.iter().enumerate() {
                    self.add(at.to_string(), value, depth + 1);
                }
                self.rows.push(Row::Close);
            }
            leaf => self.rows.push(row(key, leaf)),
        }
    }

    fn open(&mut self, key: String, about: String, depth: usize) {
        self.rows.push(Row::Open { key, about, is_open: depth < OPEN });
    }
}

fn row(key: String, value: &Value) -> Row {
    let (class, text) = match value {
        Value::String(text) => ("text", format!("\"{}\"", cut(text, LONGEST))),
        Value::Null => ("null", "null".to_owned()),
        Value::Bool(_) => ("bool", value.to_string()),
        Value::Number(_) => ("number", value.to_string()),
        Value::Array(_) => ("null", "[]".to_owned()),
        Value::Object(_) => ("null", "{}".to_owned()),
    };
    Row::Leaf { key, class, text }
}

/// A document to be edited: with lines, and what nobody would see written as escapes, so that it comes back
/// as it was.
pub(super) fn editable(json: &str) -> String {
    let pretty = pretty(json);
    let mut text = String::with_capacity(pretty.len());
    for character in pretty.chars() {
        if character == '\n' || !super::escape::is_unseen(character) {
            text.push(character);
            continue;
        }
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            text.push_str(&format!("\\u{unit:04x}"));
        }
    }
    text
}

/// With lines and spaces, and every number and text as it is: reading it into values could change them.
fn pretty(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.push_str(&"  ".repeat(depth));
    };
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if is_text {
            text.push(character);
            is_text = is_escaped || character != '"';
            is_escaped = !is_escaped && character == '\\';
            continue;
        }
        match character {
            '"' => {
                is_text = true;
                text.push(character);
            }
            '{' | '[' => {
                text.push(character);
                let is_empty = matches!(characters.peek(), Some('}' | ']'));
                depth += 1;
                if !is_empty {
                    line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !text.ends_with(['{', '[']) {
                    line(&mut text, depth);
                }
                text.push(character);
            }
            ',' => {
                text.push(character);
                line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            other if other.is_ascii_whitespace() => {}
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_opened_is_closed_and_the_rest_is_counted() {
        let wide = json!({"a": {"b": [1, {}, []]}, "c": vec![0; 3_000]});
        let rows = rows(&wide);
        let opened = rows.iter().filter(|row| matches!(row, Row::Open { .. })).count();
        let closed = rows.iter().filter(|row| matches!(row, Row::Close)).count();
        assert_eq!((opened, closed), (4, 4));
        assert!(rows.len() < MOST + 10, "{}", rows.len());
        let Some(Row::Leaf { text, .. }) = rows.last() else { panic!("no last line") };
        assert!(text.contains("more"), "{text}");
    }

    #[test]
    fn an_edited_document_comes_back_as_it_was() {
        let json = r#"{"a":[1,2.50,12345678901234567890123],"b":"x\"{,:}\\","c":{},"d":[],"e":"\u0000~é"}"#;
        let json = &json.replace('~', "\u{202e}");
        let edited = editable(json);
        assert!(edited.contains("\n  \"a\": [\n    1,") && edited.contains(r"\u0000\u202eé"), "{edited}");
        assert!(edited.contains("12345678901234567890123") && edited.contains("2.50"), "{edited}");
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(read(&edited), read(json));
    }
}
