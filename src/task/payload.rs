use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

/// Any JSON or MessagePack value, kept as MessagePack bytes: encoded once at the door, decoded once by the handler.
///
/// With serde it stands for the value itself, whatever the format: a JSON document reads into it and it writes as
/// JSON again. Binary strings, which JSON does not know, become arrays of numbers there.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Bytes);

impl Payload {
    /// Nesting beyond this cannot be shown; the door's limit lies below.
    pub const DEEPEST: usize = 128;

    /// The value of `value`.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, rmp_serde::encode::Error> {
        rmp_serde::to_vec_named(value).map(|bytes| Self(bytes.into()))
    }

    /// Reads the value as `T`, as a handler with a typed payload does.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, rmp_serde::decode::Error> {
        rmp_serde::from_slice(&self.0)
    }

    /// MessagePack bytes that somebody encoded before. They are not checked here.
    pub fn from_message_pack(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub fn as_message_pack(&self) -> &Bytes {
        &self.0
    }

    pub fn null() -> Self {
        Self(Bytes::from_static(&[0xc0]))
    }

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
        let mut reader = rmp_serde::Deserializer::from_read_ref(&self.0);
        // Payloads are printed before they are checked, and the default of 1024 levels overflows small stacks.
        reader.set_max_depth(Self::DEEPEST);
        serde_transcode::transcode(&mut reader, serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut bytes = Vec::new();
        serde_transcode::transcode(deserializer, &mut rmp_serde::Serializer::new(&mut bytes))
            .map_err(serde::de::Error::custom)?;
        Ok(Self(bytes.into()))
    }
}

/// Writes the MessagePack bytes as one binary string, for envelopes that carry the payload without looking at it.
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
