//! What tells two tasks with one id apart: a number of what they ask for.
//!
//! Guarantees: the same for the same value, in whichever order the keys of its objects stand, in every
//! version and on every machine; one pass, nothing is decoded. Never does: prove that two values are equal.

use std::{fmt, str::FromStr};

use serde::Serialize;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{
    Payload,
    scan::{Fault, Item, Scanner},
};

/// Of a task's kind and payload, or of the whole request that brought it. One pair of others in 10^19 has the
/// same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u64);

/// A container on the way down.
struct Open {
    /// How many values it still lacks.
    left: u64,
    is_map: bool,
    /// In a map: the key whose value comes next.
    key: Option<u64>,
    sum: u64,
}

impl Fingerprint {
    /// What a task of this kind with this payload has. Bytes that are no value are taken as they are.
    pub fn of(kind: &str, payload: &Payload) -> Self {
        let bytes = payload.as_message_pack();
        let value = value(bytes).unwrap_or_else(|_| xxh3_64(bytes));
        Self(xxh3_64_with_seed(kind.as_bytes(), value))
    }

    /// Of any value that can be written. Of one that cannot, that of nothing.
    pub fn of_value(value: &impl Serialize) -> Self {
        Self::of("", &Payload::encode(value).unwrap_or_default())
    }

    /// Of this and of another thing, in this order.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(mixed(self.0, other.0))
    }

    /// As stores keep it.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// See [`to_bits`](Self::to_bits).
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// Of the value that the bytes begin with.
fn value(bytes: &[u8]) -> Result<u64, Fault> {
    let mut scanner = Scanner::new(bytes);
    let mut open: Vec<Open> = Vec::new();
    loop {
        let item = scanner.next()?;
        let mut hash = leaf(&item);
        match item {
            Item::Array(count) => open.push(Open::of(u64::from(count), false, hash)),
            Item::Map(count) => open.push(Open::of(u64::from(count) * 2, true, hash)),
            _ => match open.last_mut() {
                Some(container) => container.take(hash),
                None => return Ok(hash),
            },
        }
        while let Some(done) = open.pop_if(|container| container.left == 0) {
            hash = done.sum;
            match open.last_mut() {
                Some(container) => container.take(hash),
                None => return Ok(hash),
            }
        }
    }
}

impl Open {
    const fn of(left: u64, is_map: bool, sum: u64) -> Self {
        Self { left, is_map, key: None, sum }
    }

    fn take(&mut self, hash: u64) {
        self.left -= 1;
        if !self.is_map {
            self.sum = mixed(self.sum, hash);
            return;
        }
        match self.key.take() {
            None => self.key = Some(hash),
            // A sum is the same in any order.
            Some(key) => self.sum = self.sum.wrapping_add(mixed(key, hash)),
        }
    }
}

/// Of a value without others in it, or of a container's head.
fn leaf(item: &Item<'_>) -> u64 {
    match item {
        Item::Nil => 1,
        Item::Bool(false) => 2,
        Item::Bool(true) => 3,
        Item::Unsigned(number) => mixed(4, *number),
        Item::Negative(number) => mixed(5, number.cast_unsigned()),
        Item::Float(number) => mixed(6, number.to_bits()),
        Item::Text(text) => xxh3_64_with_seed(text.as_bytes(), 7),
        Item::Bytes(bytes) => xxh3_64_with_seed(bytes, 8),
        Item::Extension(kind, data) => xxh3_64_with_seed(data, u64::from(kind.cast_unsigned()) << 8 | 9),
        Item::Array(count) => mixed(10, u64::from(*count)),
        Item::Map(count) => mixed(11, u64::from(*count)),
    }
}

fn mixed(first: u64, second: u64) -> u64 {
    xxh3_64_with_seed(&second.to_be_bytes(), first)
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, value::RawValue};

    use super::*;

    fn of(text: &str) -> Fingerprint {
        let document: &RawValue = serde_json::from_str(text).unwrap();
        Fingerprint::of("a", &Payload::from_json(document).unwrap())
    }

    /// It is kept in records: another version must find the same.
    #[test]
    fn is_what_it_was() {
        let text = r#"{"to": "a@b.c", "list": [1, -2, 0.5, true, false, null, {}], "deep": {"a": [[]]}}"#;
        assert_eq!(of(text).to_string(), "371625bbfefc02df");
        assert_eq!("00000000000000ff".parse(), Ok(Fingerprint(255)));
    }

    #[test]
    fn the_order_of_keys_does_not_matter_and_all_else_does() {
        let same = of(r#"{"a": 1, "b": {"c": [1, 2], "d": null}}"#);
        assert_eq!(of(r#"{"b": {"d": null, "c": [1, 2]}, "a": 1}"#), same);
        let others = [
            r#"{"a": 1, "b": {"c": [2, 1], "d": null}}"#,
            r#"{"a": 1, "b": {"c": [1, 2]}, "d": null}"#,
            r#"{"a": 1, "b": {"c": [1, 2], "d": false}}"#,
            r#"{"b": 1, "a": {"c": [1, 2], "d": null}}"#,
            r#"{"a": 1.0, "b": {"c": [1, 2], "d": null}}"#,
            r#"{"a": "1", "b": {"c": [1, 2], "d": null}}"#,
            "{}",
            "[]",
            "null",
            "\"\"",
        ];
        let mut seen: Vec<Fingerprint> = others.iter().map(|text| of(text)).collect();
        seen.push(same);
        seen.push(Fingerprint::of("b", &Payload::encode(&Value::Null).unwrap()));
        let count = seen.len();
        seen.sort_unstable_by_key(|fingerprint| fingerprint.to_bits());
        seen.dedup();
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn a_number_is_the_same_however_wide_it_is_written() {
        let narrow = Payload::from_message_pack(vec![0x05].into());
        let wide = Payload::from_message_pack(vec![0xcf, 0, 0, 0, 0, 0, 0, 0, 5].into());
        assert_eq!(Fingerprint::of("a", &narrow), Fingerprint::of("a", &wide));
        let cut = Payload::from_message_pack(vec![0x92, 1].into());
        assert_ne!(Fingerprint::of("a", &cut), Fingerprint::of("a", &narrow), "no value, and no panic");
    }

    #[test]
    fn several_are_told_apart_by_their_order() {
        let [one, two] = [1, 2].map(|number| Fingerprint::of_value(&json!({ "n": number })));
        assert_ne!(one.and(two), two.and(one));
    }
}
