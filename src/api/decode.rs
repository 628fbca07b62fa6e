//! Reads values from bytes that anybody may have sent: every fault names its place, none costs more than its bytes.

use std::fmt;

use axum::http::StatusCode;
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, SeqAccess},
};
use serde_json::value::RawValue;

use super::{body::Format, error::ApiError, message_pack};
use crate::{config::Limits, dispatch::scan::Fault};

/// The envelope's own nesting, on top of what a payload may have.
const ENVELOPE: usize = 8;

pub(super) fn value<T: DeserializeOwned>(bytes: &[u8], format: Format, limits: &Limits) -> Result<T, ApiError> {
    let (value, object) = match format {
        Format::Json => (json(bytes, limits)?, bytes.trim_ascii_start().starts_with(b"{")),
        Format::MessagePack => (packed(bytes, limits)?, !message_pack::is_array(bytes)),
    };
    // Serde reads a struct from an array of its fields as well; nobody means that.
    if object {
        Ok(value)
    } else {
        Err(wrong_field(".", "invalid type: sequence, expected an object with named fields"))
    }
}

fn json<T: DeserializeOwned>(bytes: &[u8], limits: &Limits) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        json_fault(error.inner(), &path, limits)
    })?;
    reader.end().map_err(|error| json_fault(&error, ".", limits))?;
    Ok(value)
}

fn json_fault(error: &serde_json::Error, path: &str, limits: &Limits) -> ApiError {
    let message = error.to_string();
    if message.starts_with("recursion limit exceeded") {
        return too_deep(path, limits);
    }
    match error.classify() {
        serde_json::error::Category::Data => wrong_field(path, &message),
        _ => ApiError::malformed(format!("the body is not JSON: {message}")),
    }
}

fn packed<T: DeserializeOwned>(bytes: &[u8], limits: &Limits) -> Result<T, ApiError> {
    whole(bytes)?;
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(usize::from(limits.depth) + ENVELOPE);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (path, message) = (error.path().to_string(), error.inner().to_string());
        // As text, since a payload passes the reader's error on in its own.
        if message == "depth limit exceeded" { too_deep(&path, limits) } else { wrong_field(&path, &message) }
    })
}

/// Passes when `bytes` are one MessagePack value and nothing else.
fn whole(bytes: &[u8]) -> Result<(), ApiError> {
    match message_pack::length(bytes) {
        Ok(length) if length == bytes.len() => Ok(()),
        Ok(length) => {
            Err(ApiError::malformed(format!("the body goes on after its MessagePack value, at byte {length}")))
        }
        Err(fault) => Err(not_packed(&fault)),
    }
}

fn not_packed(fault: &Fault) -> ApiError {
    ApiError::malformed(format!("the body cannot be read: {fault}"))
}

/// The door's own code for it: this only comes before the door where a parser has a limit of its own. A path as deep as
/// the value is no help; its first step is.
fn too_deep(path: &str, limits: &Limits) -> ApiError {
    let field = path.split(['.', '[']).next().filter(|step| !step.is_empty()).unwrap_or("payload");
    let message = format!("{field} is nested deeper than limits.depth, {}: flatten it", limits.depth);
    ApiError::new(StatusCode::BAD_REQUEST, "CP-1106", message).at(Some(field))
}

fn wrong_field(path: &str, message: &str) -> ApiError {
    let named = ["missing field `", "unknown field `"].iter().find_map(|start| message.strip_prefix(start));
    let named = named.and_then(|rest| rest.split('`').next());
    let field = match (path.trim_end_matches(".?"), named) {
        ("." | "?" | "", named) => named.map(str::to_owned),
        (path, Some(name)) if path != name && !path.ends_with(&format!(".{name}")) => Some(format!("{path}.{name}")),
        (path, _) => Some(path.to_owned()),
    };
    ApiError::new(StatusCode::BAD_REQUEST, "CP-1402", message).at(field)
}

/// The tasks of a request, each still to be decoded, so that one that cannot be read does not lose the others.
pub(super) enum Parts<'a> {
    One(&'a [u8]),
    Many(Vec<&'a [u8]>),
}

pub(super) fn parts<'a>(bytes: &'a [u8], format: Format, limits: &Limits) -> Result<Parts<'a>, ApiError> {
    let most = usize::from(limits.batch);
    let many = match format {
        Format::Json if bytes.trim_ascii_start().first() == Some(&b'[') => json_elements(bytes, most, limits)?,
        Format::MessagePack if message_pack::is_array(bytes) => {
            whole(bytes)?;
            message_pack::elements(bytes, most).map_err(|fault| not_packed(&fault))?
        }
        _ => return Ok(Parts::One(bytes)),
    };
    match many {
        Some(parts) if parts.is_empty() => Err(ApiError::malformed("the batch is empty: send one task or more")),
        Some(parts) => Ok(Parts::Many(parts)),
        None => Err(ApiError::batch_too_long(most)),
    }
}

fn json_elements<'a>(bytes: &'a [u8], most: usize, limits: &Limits) -> Result<Option<Vec<&'a [u8]>>, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let elements = reader.deserialize_seq(Elements(most)).map_err(|error| json_fault(&error, ".", limits))?;
    if elements.is_some() {
        reader.end().map_err(|error| json_fault(&error, ".", limits))?;
    }
    Ok(elements)
}

/// Collects the elements of an array, or `None` as soon as there are too many: a body of 64 MiB holds 32 million zeros.
struct Elements(usize);

impl<'de> de::Visitor<'de> for Elements {
    type Value = Option<Vec<&'de [u8]>>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of tasks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element_seed(Raw)? {
            if elements.len() == self.0 {
                while seq.next_element::<de::IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            elements.push(element);
        }
        Ok(Some(elements))
    }
}

struct Raw;

impl<'de> de::DeserializeSeed<'de> for Raw {
    type Value = &'de [u8];

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<&'de [u8], D::Error> {
        <&RawValue>::deserialize(reader).map(|raw| raw.get().as_bytes())
    }
}
