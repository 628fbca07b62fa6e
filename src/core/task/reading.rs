//! Reads a new task out of bytes from outside.
//!
//! Guarantees: the payload is cut out and never decoded, so that each of its values arrives as it was sent or
//! is refused with its place; neither its depth nor a length that it claims costs anything. The same rule at
//! every entrance.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{error::Category, value::RawValue};

use super::{
    NewTask, Payload,
    document::{malformed, more},
    scan::{self, Item, Scanner},
    transcript::{self, What},
};

/// Why no task could be read, in the same words and under the same code at every entrance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// The bytes are no document of their format.
    #[error("the body cannot be read: {0}")]
    Malformed(String),
    /// An array without tasks.
    #[error("the batch is empty: send one task or more")]
    Empty,
    /// A batch beyond this limit.
    #[error("more than {0} tasks at once (limits.batch): send them in several batches")]
    TooMany(usize),
    /// A field is missing, unknown or of the wrong type.
    #[error("{message}")]
    Field {
        /// Its name, when one field is at fault.
        field: Option<String>,
        /// What is wrong, and what to write.
        message: String,
    },
    /// A value that cannot even be shown.
    #[error("{field} is nested deeper than {} levels", Payload::DEEPEST)]
    TooDeep {
        /// The field that holds the value.
        field: String,
    },
    /// A value of the payload would arrive as another one.
    #[error("{message}")]
    Changing {
        /// Where the value stands: `payload.items[3]`.
        field: String,
        /// What is wrong, and what to send instead.
        message: String,
    },
}

impl Unread {
    /// The stable code under which it is told.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Empty => "CP-1401",
            Self::Field { .. } => "CP-1402",
            Self::TooMany(_) => "CP-1407",
            Self::TooDeep { .. } => "CP-1106",
            Self::Changing { .. } => "CP-1121",
        }
    }
}

impl NewTask {
    /// From one JSON object, and nothing after it. Fails with what is wrong and where.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Unread> {
        let not_json = |error: serde_json::Error| Unread::Malformed(format!("it is not JSON: {error}"));
        // Serde reads a struct from an array of its fields as well; that is never meant.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            serde_json::from_slice::<IgnoredAny>(bytes).map_err(not_json)?;
            return Err(no_object());
        }
        let cut = match serde_json::from_slice::<Cut<'_>>(bytes) {
            Ok(cut) => cut,
            Err(error) if error.classify() == Category::Data => Cut { payload: None },
            Err(error) => return Err(not_json(error)),
        };
        let Some(payload) = cut.payload else { return envelope_of_json(bytes) };
        let start = payload.get().as_ptr() as usize - bytes.as_ptr() as usize;
        let rest = &bytes[start + payload.get().len()..];
        let task = envelope_of_json(&[&bytes[..start], b"null", rest].concat())?;
        Ok(Self { payload: Payload::from_json(payload).map_err(|fault| unfit(&fault))?, ..task })
    }

    /// From one MessagePack map, and nothing after it. Fails with what is wrong and where.
    pub fn from_message_pack(bytes: &[u8]) -> Result<Self, Unread> {
        let mut scanner = Scanner::new(bytes);
        let Item::Map(count) = scanner.next().map_err(malformed)? else { return Err(no_object()) };
        let first = scanner.position();
        let mut payload = None;
        for _ in 0..count {
            let key = scanner.position();
            let Item::Text(name) = scanner.next().map_err(malformed)? else {
                return Err(Unread::Field { field: None, message: KEYS.to_owned() });
            };
            let is_payload = name == "payload";
            let start = scanner.position();
            scan::skip(&mut scanner).map_err(malformed)?;
            if is_payload && payload.replace((key, start, scanner.position())).is_some() {
                return Err(wrong("payload", "duplicate field `payload`"));
            }
        }
        if scanner.position() != bytes.len() {
            return Err(more(scanner.position()));
        }
        let Some((key, start, end)) = payload else { return envelope_of_message_pack(bytes) };
        let head = [&[0xdf][..], &(count - 1).to_be_bytes()].concat();
        let task = envelope_of_message_pack(&[&head, &bytes[first..key], &bytes[end..]].concat())?;
        Ok(Self { payload: Payload::from_message_pack(bytes[start..end].to_vec().into()), ..task })
    }
}

/// The payload as text, and nothing else of the task.
#[derive(Deserialize)]
struct Cut<'a> {
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

fn envelope_of_json(bytes: &[u8]) -> Result<NewTask, Unread> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| match error.inner().classify() {
        Category::Data => wrong(&error.path().to_string(), &error.inner().to_string()),
        _ => Unread::Malformed(format!("it is not JSON: {}", error.inner())),
    })
}

fn envelope_of_message_pack(bytes: &[u8]) -> Result<NewTask, Unread> {
    // As in JSON: ids and times may be text.
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable();
    reader.set_max_depth(Payload::DEEPEST);
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| wrong(&error.path().to_string(), &error.inner().to_string()))
}

/// Of a task whose keys are no names, so that none can be told.
pub const KEYS: &str = "each key of a task must be the name of a field, as text";

fn no_object() -> Unread {
    Unread::Field { field: None, message: "invalid type: expected an object with named fields".to_owned() }
}

fn wrong(path: &str, message: &str) -> Unread {
    Unread::Field { field: named_field(path, message), message: message.to_owned() }
}

fn unfit(fault: &transcript::Fault) -> Unread {
    match &fault.what {
        // A way as deep as the value is no help.
        What::TooDeep => Unread::TooDeep { field: "payload".to_owned() },
        what => Unread::Changing { field: fault.route.within("payload"), message: what.to_string() },
    }
}

/// The field that serde complains of: it names a missing, unknown or repeated one in the text alone.
pub fn named_field(path: &str, message: &str) -> Option<String> {
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start));
    let named = named.and_then(|rest| rest.split('`').next());
    match (path.trim_end_matches(".?"), named) {
        ("." | "?" | "", named) => named.map(str::to_owned),
        (path, Some(name)) if path != name && !path.ends_with(&format!(".{name}")) => {
            Some(format!("{path}.{name}"))
        }
        (path, _) => Some(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn json(payload: &str) -> Result<Payload, Unread> {
        NewTask::from_json(format!(r#"{{"kind":"a","payload":{payload},"ttl":"5s"}}"#).as_bytes())
            .map(|task| task.payload)
    }

    fn packed(payload: &[u8]) -> Vec<u8> {
        [b"\x83\xa4kind\xa1a\xa7payload", payload, b"\xa3ttl\xa25s"].concat()
    }

    #[test]
    fn integers_of_up_to_64_bits_arrive_and_longer_ones_are_refused_with_their_place() {
        for number in [0, 1, u64::from(u32::MAX) + 1, (1 << 53) + 1, i64::MAX as u64 + 1, u64::MAX] {
            assert_eq!(json(&number.to_string()).unwrap().decode::<u64>().unwrap(), number);
        }
        for number in [-1, -(1 << 53) - 1, i64::MIN] {
            assert_eq!(json(&number.to_string()).unwrap().decode::<i64>().unwrap(), number);
        }
        for number in ["18446744073709551616", "-9223372036854775809", "123456789012345678901234567890"] {
            let refused =
                json(&format!(r#"{{"order": {{"items": [1, {{"number": {number}}}]}}}}"#)).unwrap_err();
            let Unread::Changing { field, message } = refused else { panic!("{refused:?}") };
            assert_eq!(field, "payload.order.items[1].number");
            assert!(message.contains(number), "{message}");
        }
    }

    #[test]
    fn fractions_are_the_nearest_double_and_never_an_infinity_or_a_zero() {
        for number in [0.1 + 0.2, 1e300, f64::MAX, f64::MIN_POSITIVE, -0.0, 1e20, 5e-324, 2.5] {
            let text = serde_json::to_string(&number).unwrap();
            assert_eq!(json(&text).unwrap().decode::<f64>().unwrap().to_bits(), number.to_bits(), "{text}");
        }
        for number in ["1e400", "-1e400", "1e-400", "0.1e-400"] {
            let refused = json(&format!("[{number}]")).unwrap_err();
            assert!(
                matches!(refused, Unread::Changing { ref field, .. } if field == "payload[0]"),
                "{refused:?}"
            );
        }
        assert_eq!(json("0.0e-400").unwrap().decode::<f64>().unwrap(), 0.0);
    }

    #[test]
    fn half_a_surrogate_is_refused_with_its_place() {
        let refused = json(r#"{"a b": "\ud800"}"#).unwrap_err();
        assert!(
            matches!(refused, Unread::Changing { ref field, .. } if field == "payload[\"a b\"]"),
            "{refused:?}"
        );
        assert_eq!(json(r#""\ud83d\ude00\u0000\n""#).unwrap().decode::<String>().unwrap(), "😀\0\n");
    }

    #[test]
    fn message_pack_arrives_byte_by_byte() {
        let payloads: [&[u8]; 6] = [
            &[0xca, 0x3f, 0x9d, 0x70, 0xa4],
            &[0xcf, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0xc4, 1, 7],
            &[0x81, 1, 2],
            &[0xc0],
            &[0xd6, 0xff, 1, 2, 3, 4],
        ];
        for payload in payloads {
            let task = NewTask::from_message_pack(&packed(payload)).unwrap();
            assert_eq!(task.payload.as_message_pack(), payload);
            assert_eq!(task.ttl, Some(std::time::Duration::from_secs(5)));
        }
    }

    #[test]
    fn a_second_payload_is_a_mistake() {
        let twice = [b"\x83\xa4kind\xa1a\xa7payload\x01\xa7payload\x02".as_slice()].concat();
        for refused in [
            NewTask::from_message_pack(&twice).unwrap_err(),
            NewTask::from_json(br#"{"kind":"a","payload":1,"payload":2}"#).unwrap_err(),
        ] {
            assert!(
                matches!(refused, Unread::Field { ref field, .. } if field.as_deref() == Some("payload")),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_key_that_is_no_text_is_told_as_such() {
        for key in [b"\x91\x01".as_slice(), b"\x00", b"\xc0", b"\xc4\x04kind"] {
            let task = [b"\x82\xa4kind\xa1a", key, b"\x02"].concat();
            let refused = NewTask::from_message_pack(&task).unwrap_err();
            assert!(
                matches!(refused, Unread::Field { field: None, ref message } if message == KEYS),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn an_id_is_text_or_bytes() {
        let id = crate::task::TaskId::new();
        let spelled = rmp_serde::to_vec_named(&json!({"kind": "a", "id": id.to_string()})).unwrap();
        assert_eq!(NewTask::from_message_pack(&spelled).unwrap().id, Some(id));
        let task = NewTask { id: Some(id), ..NewTask::new("a", Payload::null()) };
        let packed = rmp_serde::to_vec_named(&task).unwrap();
        assert_eq!(NewTask::from_message_pack(&packed).unwrap(), task);
    }

    #[test]
    fn depth_is_an_error_or_a_task_and_costs_no_stack() {
        for depth in [1, 100, 1000, 100_000] {
            let task =
                NewTask::from_message_pack(&packed(&[&vec![0x91; depth][..], &[0xc0]].concat())).unwrap();
            assert_eq!(serde_json::to_string(&task.payload).is_ok(), depth <= 100, "{depth}");
            assert_eq!(
                json(&format!("{}{}", "[".repeat(depth), "]".repeat(depth))).is_ok(),
                depth <= 100,
                "{depth}"
            );
        }
    }
}
