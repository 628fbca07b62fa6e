//! Writes a JSON document as MessagePack.
//!
//! Guarantees: an integer of up to 64 bits, a key and a text arrive as they are, and a number with a fraction
//! or an exponent as the nearest double; what would arrive as another value is refused with its place. Never
//! does: use stack or believe a depth that the document does not have.

use std::ops::Range;

use serde_json::value::RawValue;

use super::{Payload, route::Route};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub route: Route,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum What {
    #[error("the integer {0} does not fit into 64 bits, and would arrive as another number: send it as text")]
    Integer(String),
    #[error(
        "the number {0} is beyond what a double holds, and would arrive as another number: send it as text"
    )]
    Double(String),
    #[error("its text cannot be read: {0}")]
    Text(String),
    #[error("it is nested deeper than {} levels", Payload::DEEPEST)]
    TooDeep,
}

/// The document's value. `RawValue` is proof that the text is one well-formed document.
pub(super) fn transcribe(document: &RawValue) -> Result<Vec<u8>, Fault> {
    let text = document.get();
    let mut scribe = Scribe { text, at: 0, out: Vec::with_capacity(text.len()), open: Vec::new() };
    while scribe.at < text.len() {
        if let Err(what) = scribe.step() {
            return Err(Fault { route: scribe.route(), what });
        }
    }
    Ok(scribe.out)
}

struct Scribe<'a> {
    text: &'a str,
    at: usize,
    out: Vec<u8>,
    open: Vec<Open>,
}

/// A container that has not ended. Its head, one byte until its length is known, stands in the output at
/// `head`.
struct Open {
    head: usize,
    keyed: bool,
    /// Values so far, keys among them.
    items: usize,
    /// The latest key in the output.
    key: Range<usize>,
}

impl Scribe<'_> {
    fn step(&mut self) -> Result<(), What> {
        let byte = self.text.as_bytes()[self.at];
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' => self.at += 1,
            b'{' | b'[' => self.open(byte == b'{')?,
            b'}' | b']' => self.close(),
            b'"' => self.text()?,
            b'n' => self.literal(4, 0xc0),
            b'f' => self.literal(5, 0xc2),
            b't' => self.literal(4, 0xc3),
            _ => self.number()?,
        }
        Ok(())
    }

    /// Counts a value, and says whether it is a key.
    fn count(&mut self) -> bool {
        let Some(container) = self.open.last_mut() else { return false };
        container.items += 1;
        container.keyed && container.items % 2 == 1
    }

    fn open(&mut self, keyed: bool) -> Result<(), What> {
        if self.open.len() == Payload::DEEPEST {
            return Err(What::TooDeep);
        }
        self.count();
        self.open.push(Open { head: self.out.len(), keyed, items: 0, key: 0..0 });
        self.out.push(0);
        self.at += 1;
        Ok(())
    }

    /// Writes the head of the container that ends here.
    fn close(&mut self) {
        self.at += 1;
        let Some(Open { head, keyed, items, .. }) = self.open.pop() else { return };
        let count = if keyed { items / 2 } else { items };
        let small = if keyed { 0x80 } else { 0x90 };
        let large = if keyed { 0xde } else { 0xdc };
        match (u8::try_from(count), u16::try_from(count)) {
            (Ok(count @ ..16), _) => self.out[head] = small | count,
            (_, Ok(count)) => self.insert(head, large, &count.to_be_bytes()),
            _ => self.insert(head, large + 1, &(count as u32).to_be_bytes()),
        }
    }

    fn insert(&mut self, head: usize, marker: u8, length: &[u8]) {
        self.out[head] = marker;
        self.out.splice(head + 1..head + 1, length.iter().copied());
    }

    fn literal(&mut self, length: usize, marker: u8) {
        self.count();
        self.at += length;
        self.out.push(marker);
    }

    fn text(&mut self) -> Result<(), What> {
        let is_key = self.count();
        let start = self.at;
        let inner = self.text_end();
        let quoted = &self.text[start..self.at];
        let written = self.out.len();
        match inner {
            Some(plain) => write(&mut self.out, &self.text[plain])?,
            None => {
                let text: String =
                    serde_json::from_str(quoted).map_err(|error| What::Text(error.to_string()))?;
                write(&mut self.out, &text)?;
            }
        }
        if let Some(container) = self.open.last_mut().filter(|_| is_key) {
            container.key = written..self.out.len();
        }
        Ok(())
    }

    /// Moves behind the text at hand; its inside, when nothing in there is escaped.
    fn text_end(&mut self) -> Option<Range<usize>> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut end = start;
        let mut plain = true;
        while let Some(byte) = bytes.get(end).filter(|byte| **byte != b'"') {
            plain &= *byte != b'\\';
            end += if *byte == b'\\' { 2 } else { 1 };
        }
        self.at = end + 1;
        plain.then_some(start..end)
    }

    fn number(&mut self) -> Result<(), What> {
        self.count();
        let rest = &self.text[self.at..];
        let end =
            rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let digits = &rest[..end];
        self.at += end.max(1);
        if digits.contains(['.', 'e', 'E']) || digits == "-0" {
            return write(&mut self.out, &double(digits)?);
        }
        match (digits.parse::<u64>(), digits.parse::<i64>()) {
            (Ok(number), _) => write(&mut self.out, &number),
            (_, Ok(number)) => write(&mut self.out, &number),
            _ => Err(What::Integer(shown(digits))),
        }
    }

    /// The way to the value, or the key, at hand.
    fn route(&self) -> Route {
        let mut route = Route::default();
        for container in &self.open {
            if container.keyed {
                let key = rmp_serde::from_slice::<&str>(&self.out[container.key.clone()]);
                route.key(key.unwrap_or_default());
            } else {
                route.index(container.items.saturating_sub(1));
            }
        }
        route
    }
}

/// Neither an infinity in place of a large number nor a zero in place of a small one.
fn double(digits: &str) -> Result<f64, What> {
    let number: f64 = digits.parse().map_err(|_| What::Double(shown(digits)))?;
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    let vanished = number == 0.0 && mantissa.contains(|c: char| matches!(c, '1'..='9'));
    if number.is_finite() && !vanished { Ok(number) } else { Err(What::Double(shown(digits))) }
}

fn write<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), What> {
    rmp_serde::encode::write(out, value).map_err(|error| What::Text(error.to_string()))
}

fn shown(digits: &str) -> String {
    const SHOWN: usize = 40;
    if digits.len() > SHOWN { format!("{}…", &digits[..SHOWN]) } else { digits.to_owned() }
}
