//! What a server says of itself in its first frame, which lapin reads and keeps to itself.

use std::sync::{Arc, Mutex, PoisonError};

use super::filtered_connection::Filter;

/// Longer ones are not known; what comes later is not kept.
const MOST: usize = 8 * 1024;

/// The first bytes that a server sent. Clones see the same.
#[derive(Clone, Default)]
pub(super) struct Greeting(Arc<Mutex<Vec<u8>>>);

impl Filter for Greeting {
    /// Lets everything through.
    fn filter(&mut self, input: &[u8], clean: &mut Vec<u8>) {
        clean.extend_from_slice(input);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST.saturating_sub(kept.len()).min(input.len());
        kept.extend_from_slice(&input[..room]);
    }
}

impl Greeting {
    /// The text that the server's properties have under a name.
    pub(super) fn property(&self, name: &str) -> Option<String> {
        property(&self.0.lock().unwrap_or_else(PoisonError::into_inner), name)
    }
}

/// In a table of AMQP: the name as a short string, `S`, and the value as a long one.
fn property(bytes: &[u8], name: &str) -> Option<String> {
    let length = u8::try_from(name.len()).ok()?;
    let key = [&[length], name.as_bytes(), b"S"].concat();
    let at = bytes.windows(key.len()).position(|window| window == key)? + key.len();
    let size = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
    let text = bytes.get(at + 4..)?.get(..usize::try_from(size).ok()?)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_is_found_and_what_is_cut_off_is_none() {
        let mut greeting = Greeting::default();
        let mut through = Vec::new();
        for piece in [&b"\x01\0\0\x07prod"[..], b"uctS\0\0\0\x08RabbitMQ\x07versionS\0\0\0\x06", b"3.10.8"] {
            greeting.filter(piece, &mut through);
        }
        assert_eq!(greeting.property("product").as_deref(), Some("RabbitMQ"));
        assert_eq!(greeting.property("version").as_deref(), Some("3.10.8"));
        assert_eq!(greeting.property("platform"), None);
        assert_eq!(property(&through[..through.len() - 1], "version"), None);
        assert_eq!(property(b"\x07versionS\xff\xff\xff\xffx", "version"), None);
    }
}
