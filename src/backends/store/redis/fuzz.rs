use bytes::Bytes;

use super::{cursor::Cursor, dead, record};
use crate::backend::redis::packed;
use clawpool_core::task::TaskId;

/// Records, queued messages and dead letters.
pub fn values(bytes: &[u8]) {
    let _ = record::decode(TaskId::from_bytes([7; 16]), Bytes::copy_from_slice(bytes));
    if let Some((entry, value)) = bytes.split_first_chunk::<20>() {
        let value = Bytes::copy_from_slice(value);
        if let Some(message) = packed::unpack(entry, &value) {
            assert_eq!(packed::pack(&message), value);
            assert_eq!(packed::entry(message.id, message.generation), *entry);
        }
    }
    if let Ok(letter) = dead::decode(bytes) {
        let again = dead::encode(&letter).ok().and_then(|bytes| dead::decode(&bytes).ok());
        assert_eq!(again, Some(letter), "a dead letter changes when it is written and read again");
    }
}

pub fn cursor(text: &str) {
    if let Ok(cursor) = Cursor::parse(text) {
        assert_eq!(Cursor::parse(&cursor.to_string()).ok(), Some(cursor));
    }
}
