//! Takes a body of one task or many apart without decoding it, so that a bad task costs its neighbours
//! nothing, depth costs nothing, and no length is believed that the bytes do not bear out.

use std::fmt;

use serde::{
    Deserializer,
    de::{self, SeqAccess},
};
use serde_json::value::RawValue;

use super::{
    NewTask, Unread,
    scan::{Fault, Item, Scanner, skip},
    without_mark,
};

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One object, or an array of objects.
    Json,
    /// One map, or an array of maps.
    MessagePack,
}

/// The tasks of a body, each still to be read.
#[derive(Debug, PartialEq)]
pub enum Parts<'a> {
    /// A task by itself, in no array.
    One(&'a [u8]),
    /// One or more.
    Many(Vec<&'a [u8]>),
}

impl Format {
    /// One task, or an array of up to `most` of them, as they came.
    pub fn parts(self, bytes: &[u8], most: usize) -> Result<Parts<'_>, Unread> {
        let bytes = self.written(bytes);
        let many = match self {
            Self::Json if bytes.trim_ascii_start().starts_with(b"[") => json_elements(bytes, most)?,
            Self::MessagePack if is_array(bytes) => elements(bytes, most)?,
            _ => return Ok(Parts::One(bytes)),
        };
        match many {
            None => Err(Unread::TooMany(most)),
            Some(parts) if parts.is_empty() => Err(Unread::Empty),
            Some(parts) => Ok(Parts::Many(parts)),
        }
    }

    /// The task that these bytes are.
    pub fn task(self, bytes: &[u8]) -> Result<NewTask, Unread> {
        match self {
            Self::Json => NewTask::from_json(self.written(bytes)),
            Self::MessagePack => NewTask::from_message_pack(bytes),
        }
    }

    /// What was written, without a mark that means nothing.
    pub fn written(self, bytes: &[u8]) -> &[u8] {
        match self {
            Self::Json => without_mark(bytes),
            Self::MessagePack => bytes,
        }
    }
}

fn json_elements(bytes: &[u8], most: usize) -> Result<Option<Vec<&[u8]>>, Unread> {
    let malformed = |error: serde_json::Error| Unread::Malformed(format!("it is not JSON: {error}"));
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let elements = reader.deserialize_seq(Elements(most)).map_err(malformed)?;
    if elements.is_some() {
        reader.end().map_err(malformed)?;
    }
    Ok(elements)
}

/// Collects the elements of an array, or `None` as soon as there are too many: a body of 64 MiB holds 32
/// million zeros.
struct Elements(usize);

impl<'de> de::Visitor<'de> for Elements {
    type Value = Option<Vec<&'de [u8]>>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of tasks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element::<&RawValue>()? {
            if elements.len() == self.0 {
                while seq.next_element::<de::IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            elements.push(element.get().as_bytes());
        }
        Ok(Some(elements))
    }
}

/// Passes when `bytes` are one MessagePack value and nothing else.
pub fn whole(bytes: &[u8]) -> Result<(), Unread> {
    let length = length(bytes).map_err(malformed)?;
    if length == bytes.len() { Ok(()) } else { Err(more(length)) }
}

/// Whether the MessagePack value that begins here is an array.
pub fn is_array(bytes: &[u8]) -> bool {
    matches!(Scanner::new(bytes).next(), Ok(Item::Array(_)))
}

/// The length of the value at the start of `bytes`.
fn length(bytes: &[u8]) -> Result<usize, Fault> {
    let mut scanner = Scanner::new(bytes);
    skip(&mut scanner)?;
    Ok(scanner.position())
}

/// The elements of the array that `bytes` are; `None` when there are more than `most`.
fn elements(bytes: &[u8], most: usize) -> Result<Option<Vec<&[u8]>>, Unread> {
    let mut scanner = Scanner::new(bytes);
    let Item::Array(count) = scanner.next().map_err(malformed)? else { return Ok(Some(Vec::new())) };
    if count as usize > most {
        // A lie about the number is told as one.
        return whole(bytes).map(|()| None);
    }
    let mut elements = Vec::new();
    for _ in 0..count {
        let start = scanner.position();
        skip(&mut scanner).map_err(malformed)?;
        elements.push(&bytes[start..scanner.position()]);
    }
    if scanner.position() == bytes.len() { Ok(Some(elements)) } else { Err(more(scanner.position())) }
}

pub(super) fn malformed(fault: Fault) -> Unread {
    Unread::Malformed(format!("it is not MessagePack: {fault}"))
}

pub(super) fn more(length: usize) -> Unread {
    Unread::Malformed(format!("it goes on after its MessagePack value, at byte {length}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,300}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 20, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{0,40}", inner, 0..20).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_end_of_every_value_is_found(value in value(), rest in any::<Vec<u8>>()) {
            let mut bytes = rmp_serde::to_vec_named(&value).unwrap();
            let end = bytes.len();
            bytes.extend(rest);
            prop_assert_eq!(length(&bytes), Ok(end));
        }

        #[test]
        fn an_array_is_taken_apart(values in prop::collection::vec(value(), 0..20)) {
            let bytes = rmp_serde::to_vec_named(&values).unwrap();
            let expected: Vec<_> = values.iter().map(|value|
            rmp_serde::to_vec_named(value).unwrap()).collect();
            prop_assert_eq!(elements(&bytes, 20).unwrap().unwrap(), expected);
        }

        #[test]
        fn never_panics(bytes in any::<Vec<u8>>()) {
            let _ = (length(&bytes), elements(&bytes, 3));
        }
    }

    #[test]
    fn believes_no_lying_length() {
        for lie in [
            &[0xdf, 0xff, 0xff, 0xff, 0xff][..],
            &[0xc6, 0xff, 0xff, 0xff, 0xff, 1],
            &[0xdb, 0, 0, 0, 9, b'a'],
            &[0xc1],
            &[],
        ] {
            assert!(length(lie).is_err(), "{lie:x?}");
        }
        assert!(elements(&[0xdd, 0, 0, 0, 2, 1], 5).is_err());
        assert_eq!(elements(&[0x92, 1, 2], 1), Ok(None));
        assert!(elements(&[0xdd, 0, 0, 0, 2, 1], 1).is_err());
    }

    #[test]
    fn depth_costs_nothing() {
        let mut deep = vec![0x91; 1_000_000];
        deep.push(0xc0);
        assert_eq!(length(&deep), Ok(deep.len()));
    }
}
