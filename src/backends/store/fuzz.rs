//! Values as the stores hold them, and the cursors that clients hand back.

use super::{redis, sqlite};

pub fn values(bytes: &[u8]) {
    redis::fuzz::values(bytes);
    let text = String::from_utf8_lossy(bytes);
    redis::fuzz::cursor(&text);
    sqlite::read_cursor(&text);
}
