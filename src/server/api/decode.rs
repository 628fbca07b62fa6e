//! Reads values from untrusted bytes: every fault names its place, none costs more than its bytes.

use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::{body::Format, error::ApiError};
use clawpool_core::{
    config::Limits,
    task::{document, named_field},
};

/// The envelope's own nesting, on top of what a payload may have.
const ENVELOPE: usize = 8;

pub(super) fn value<T: DeserializeOwned>(
    bytes: &[u8],
    format: Format,
    limits: &Limits,
) -> Result<T, ApiError> {
    let bytes = format.written(bytes);
    let (value, object) = match format {
        Format::Json => (json(bytes, limits)?, bytes.trim_ascii_start().starts_with(b"{")),
        Format::MessagePack => (packed(bytes, limits)?, !document::is_array(bytes)),
    };
    // Serde reads a struct from an array of its fields as well; that is never meant.
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
    document::whole(bytes)?;
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(usize::from(limits.depth) + ENVELOPE);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().to_string();
        // As text, since a payload passes the reader's error on in its own.
        if message == "depth limit exceeded" { too_deep(&path, limits) } else { wrong_field(&path, &message) }
    })
}

/// The code that `dispatch` has for it: this only comes first where a parser has a limit of its own. A path
/// as deep as the value is no help; its first step is.
fn too_deep(path: &str, limits: &Limits) -> ApiError {
    let field = path.split(['.', '[']).next().filter(|step| !step.is_empty()).unwrap_or("payload");
    let message = format!("{field} is nested deeper than limits.depth, {}: flatten it", limits.depth);
    ApiError::new(StatusCode::BAD_REQUEST, "CP-1106", message).at(Some(field))
}

fn wrong_field(path: &str, message: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "CP-1402", message).at(named_field(path, message))
}
