use std::{borrow::Cow, cell::RefCell, fmt};

use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned},
    ser::{Error, SerializeMap, SerializeSeq},
};
use serde_json::value::RawValue;

use super::{
    scan::{Item, Scanner},
    transcript,
};

/// Any JSON or MessagePack value, kept as MessagePack bytes: encoded once at the door, decoded once by the
/// handler.
///
/// With serde it stands for the value itself, whatever the format: a JSON document reads into it and it
/// writes as JSON again, each number as it was. Binary strings, which JSON does not know, become arrays of
/// numbers there.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Bytes);

impl Payload {
    /// Nesting beyond this cannot be shown; the door's limit lies below.
    pub(crate) const DEEPEST: usize = 128;

    /// The value of `value`.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, rmp_serde::encode::Error> {
        rmp_serde::to_vec_named(value).map(|bytes| Self(bytes.into()))
    }

    /// Reads the value as `T`, as a handler with a typed payload does.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, rmp_serde::decode::Error> {
        rmp_serde::from_slice(&self.0)
    }

    /// MessagePack bytes that the caller has encoded. They are not checked here.
    pub fn from_message_pack(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Transcribes a document. Fails on a number or text that would arrive as another one, and on depth.
    pub fn from_json(document: &RawValue) -> Result<Self, transcript::Fault> {
        transcript::transcribe(document).map(|bytes| Self(bytes.into()))
    }

    /// The bytes as they travel.
    pub fn as_message_pack(&self) -> &Bytes {
        &self.0
    }

    /// What a task without a payload has.
    pub fn null() -> Self {
        Self(Bytes::from_static(&[0xc0]))
    }

    /// Whether there is nothing in it.
    pub fn is_null(&self) -> bool {
        self.0.as_ref() == [0xc0]
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::null()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_string(self) {
            Ok(json) => f.write_str(&json),
            Err(error) => write!(f, "<{} bytes: {error}>", self.0.len()),
        }
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Shown { scanner: &RefCell::new(Scanner::new(&self.0)), depth: 0 }.serialize(serializer)
    }
}

/// The value that a scanner comes to next.
struct Shown<'a, 'b> {
    scanner: &'a RefCell<Scanner<'b>>,
    depth: usize,
}

impl Serialize for Shown<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let item = self.scanner.borrow_mut().next().map_err(S::Error::custom)?;
        // Payloads are printed before they are checked, and deep ones overflow small stacks.
        if self.depth == Payload::DEEPEST {
            return Err(S::Error::custom(format_args!("it is nested deeper than {} levels", self.depth)));
        }
        let inner = Shown { depth: self.depth + 1, ..*self };
        match item {
            Item::Nil => serializer.serialize_unit(),
            Item::Bool(value) => serializer.serialize_bool(value),
            Item::Unsigned(number) => serializer.serialize_u64(number),
            Item::Negative(number) => serializer.serialize_i64(number),
            Item::Float(number) => serializer.serialize_f64(number),
            Item::Text(text) => serializer.serialize_str(text),
            Item::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Item::Extension(kind, data) => (kind, data).serialize(serializer),
            Item::Array(count) => {
                let mut list = serializer.serialize_seq(Some(count as usize))?;
                (0..count).try_for_each(|_| list.serialize_element(&inner))?;
                list.end()
            }
            Item::Map(count) => {
                let mut map = serializer.serialize_map(Some(count as usize))?;
                (0..count).try_for_each(|_| map.serialize_entry(&inner, &inner))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Of the text formats only JSON carries payloads; its own number type would round what is long.
        if deserializer.is_human_readable() {
            let document = Box::<RawValue>::deserialize(deserializer)?;
            return Self::from_json(&document).map_err(|fault| {
                de::Error::custom(format_args!("{}: {}", fault.route.within("the value"), fault.what))
            });
        }
        let mut bytes = Vec::new();
        serde_transcode::transcode(deserializer, &mut rmp_serde::Serializer::new(&mut bytes))
            .map_err(de::Error::custom)?;
        Ok(Self(bytes.into()))
    }
}

impl JsonSchema for Payload {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Payload".into()
    }

    /// Any value.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::default()
    }
}

/// Writes the MessagePack bytes as one binary string, for envelopes that carry the payload without looking at
/// it.
pub(super) mod binary {
    use super::{Bytes, Deserializer, Payload, Serializer};

    pub fn serialize<S: Serializer>(payload: &Payload, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&payload.0)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Payload, D::Error> {
        serde_bytes::deserialize::<Vec<u8>, D>(deserializer).map(|bytes| Payload(Bytes::from(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stands_for_its_value_in_every_format() {
        let json = r#"{"to":"a@b.c","parts":[1,-2,2.5,null,true,{"deep":[]}]}"#;
        let payload: Payload = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&payload).unwrap(), json);
        let bytes = rmp_serde::to_vec_named(&payload).unwrap();
        assert_eq!(rmp_serde::from_slice::<Payload>(&bytes).unwrap(), payload);
        assert_eq!(payload.decode::<serde_json::Value>().unwrap()["to"], "a@b.c");
    }
}
