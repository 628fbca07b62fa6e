//! Properties of messages on the queues: every client that may publish there can write them.

use lapin::{
    BasicProperties,
    types::{FieldTable, parsing::parse_field_table},
};

use super::wire;
use clawpool_core::task::TaskId;

/// A table of headers as it is on the wire. The rest is the body.
pub fn headers(bytes: &[u8]) {
    let (rest, table) = parse_field_table(bytes).unwrap_or_else(|_| (bytes, FieldTable::default()));
    let id = TaskId::from_bytes([7; 16]).to_string();
    let properties = BasicProperties::default().with_headers(table).with_message_id(id.into());
    wire::dead_letter_reason(&properties);
    if let Ok(message) = wire::message(&properties, rest.to_vec()) {
        let _ = message.task();
    }
}
