//! Text that comes from outside.

/// Windows programs write this before UTF-8 text, and it means nothing.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The bytes without a byte order mark at their start.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}
