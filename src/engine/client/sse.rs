//! Reads server-sent events out of the bytes of an answer.
//!
//! Guarantees: the same events come out, wherever the bytes are cut. Never does: keep more of an event than
//! its limit.

/// An event of more bytes than this is not one of ours.
const LONGEST: usize = 64 << 20;

/// An event as the stream has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) data: String,
}

/// The bytes of which no event is made yet.
#[derive(Default)]
pub(super) struct Reader {
    rest: Vec<u8>,
    message: Message,
}

/// An event is longer than any is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Reader {
    /// The events that end in these bytes.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Vec<Message>, TooLong> {
        self.rest.extend_from_slice(bytes);
        let mut messages = Vec::new();
        let mut read = 0;
        while let Some(length) = self.rest[read..].iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&self.rest[read..read + length]).into_owned();
            read += length + 1;
            messages.extend(self.line(line.trim_end_matches('\r')));
        }
        self.rest.drain(..read);
        if self.rest.len() + self.message.data.len() > LONGEST { Err(TooLong) } else { Ok(messages) }
    }

    fn line(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            return (message != Message::default()).then_some(message);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.message.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.message.name),
            "data" if self.message.data.is_empty() => value.clone_into(&mut self.message.data),
            "data" => self.message.data.extend(["\n", value]),
            // A comment, `retry`, or what a later version adds.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &str = ":\n\nretry: 2000\nid: 1.2\nevent: open\ndata: {\"a\":\ndata: \"ü\"}\n\n\
        : still here\n\nevent: queues\r\ndata: {}\r\n\r\nid: 3\ndata: x\n\nevent: cut";

    #[test]
    fn events_are_read_and_comments_are_not() {
        let message = |id: Option<&str>, name: &str, data: &str| Message {
            id: id.map(str::to_owned),
            name: name.to_owned(),
            data: data.to_owned(),
        };
        let expected = [
            message(Some("1.2"), "open", "{\"a\":\n\"ü\"}"),
            message(None, "queues", "{}"),
            message(Some("3"), "", "x"),
        ];
        assert_eq!(Reader::default().read(STREAM.as_bytes()).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn wherever_the_bytes_are_cut_the_same_events_come(
            cuts in prop::collection::vec(0..STREAM.len(), 0..9),
        ) {
            let whole = Reader::default().read(STREAM.as_bytes()).unwrap();
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let mut reader = Reader::default();
            let mut messages = Vec::new();
            for pair in cuts.windows(2) {
                messages.extend(reader.read(&STREAM.as_bytes()[pair[0]..pair[1]]).unwrap());
            }
            prop_assert_eq!(messages, whole);
        }

        #[test]
        fn no_bytes_confuse_it(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            drop(Reader::default().read(&bytes));
        }
    }
}
