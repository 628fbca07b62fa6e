//! Reads the new tasks out of a message that anybody may have sent: JSON or MessagePack, one task or an array of them.
//! Nothing is believed that the bytes do not bear out: depth and number are limited while reading, and no length read
//! from the body reserves memory.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, value::MapAccessDeserializer},
};

use super::Rejection;
use crate::{
    config::Limits,
    task::{NewTask, Payload, without_mark},
};

/// Nesting of a task around its payload, and of the array around the tasks.
const ENVELOPE: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    MessagePack,
}

impl Format {
    /// By what the producer says, else by the first byte: JSON's brackets are numbers in MessagePack, and no task.
    pub(super) fn of(content_type: Option<&str>, body: &[u8]) -> Self {
        let named = content_type.unwrap_or_default().to_ascii_lowercase();
        match without_mark(body).trim_ascii_start().first() {
            _ if named.contains("json") => Self::Json,
            _ if named.contains("msgpack") => Self::MessagePack,
            Some(b'{' | b'[') => Self::Json,
            _ => Self::MessagePack,
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MessagePack => "application/msgpack",
        }
    }
}

/// The values that should be tasks, not looked at yet, so that a bad one does not lose the others.
pub(super) fn parts(body: &[u8], format: Format, limits: &Limits) -> Result<Vec<Payload>, Rejection> {
    let parts = Parts { most: limits.batch.into() };
    let read = match format {
        Format::Json => {
            let mut reader = serde_json::Deserializer::from_slice(without_mark(body));
            let read = parts.deserialize(&mut reader).and_then(|values| reader.end().map(|()| values));
            read.map_err(|error| error.to_string())
        }
        Format::MessagePack => {
            let mut reader = rmp_serde::Deserializer::from_read_ref(body);
            reader.set_max_depth(usize::from(limits.depth) + ENVELOPE);
            let read = parts.deserialize(&mut reader).map_err(|error| error.to_string());
            read.and_then(|values| match de::IgnoredAny::deserialize(&mut reader) {
                // All that cannot be read any more is the marker of another value.
                Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(values),
                _ => Err("something follows its value".to_owned()),
            })
        }
    };
    read.map_err(|error| malformed(None, format!("the message is not a task or an array of tasks: {error}")))
}

/// The task that a part is.
pub(super) fn task(part: &Payload, limits: &Limits) -> Result<NewTask, Rejection> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(part.as_message_pack()).with_human_readable();
    reader.set_max_depth(usize::from(limits.depth) + ENVELOPE);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let message = error.inner().to_string();
        let path = Some(error.path().to_string()).filter(|path| path != ".");
        // Serde names a missing or unknown field in the text alone.
        let field = path.or_else(|| message.split('`').nth(1).map(str::to_owned));
        malformed(field, message)
    })
}

fn malformed(field: Option<String>, message: String) -> Rejection {
    Rejection { field, ..Rejection::invalid("CP-1402", "", message) }
}

struct Parts {
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Parts {
    type Value = Vec<Payload>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Vec<Payload>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> de::Visitor<'de> for Parts {
    type Value = Vec<Payload>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a task or an array of tasks")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Payload>, A::Error> {
        Payload::deserialize(MapAccessDeserializer::new(map)).map(|task| vec![task])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut tasks: A) -> Result<Vec<Payload>, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = tasks.next_element()? {
            if parts.len() == self.most {
                return Err(de::Error::custom(format_args!("more than {} tasks (limits.batch)", self.most)));
            }
            parts.push(part);
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &[u8], content_type: Option<&str>) -> Result<Vec<Payload>, Rejection> {
        parts(body, Format::of(content_type, body), &Limits::default())
    }

    #[test]
    fn reads_one_or_many_in_either_format() {
        let one = json!({"kind": "a.b", "payload": {"deep": [1, null]}, "ttl": "5s", "priority": "P2"});
        let many = json!([one, one]);
        for body in [serde_json::to_vec(&one).unwrap(), rmp_serde::to_vec_named(&one).unwrap()] {
            let parts = read(&body, None).unwrap();
            let task = task(&parts[0], &Limits::default()).unwrap();
            assert_eq!((parts.len(), task.kind.as_str()), (1, "a.b"));
            assert_eq!(task.payload.decode::<serde_json::Value>().unwrap(), one["payload"]);
        }
        for body in [serde_json::to_vec(&many).unwrap(), rmp_serde::to_vec_named(&many).unwrap()] {
            assert_eq!(read(&body, None).unwrap().len(), 2);
        }
    }

    #[test]
    fn a_byte_order_mark_costs_nothing() {
        let body = "\u{feff}{\"kind\": \"a.b\"}".as_bytes();
        for content_type in [None, Some("application/json")] {
            assert_eq!(read(body, content_type).unwrap().len(), 1);
        }
    }

    #[test]
    fn an_id_is_text_or_bytes() {
        let id = crate::task::TaskId::new();
        let spelled = Payload::encode(&json!({"kind": "a", "id": id.to_string()})).unwrap();
        assert_eq!(task(&spelled, &Limits::default()).unwrap().id, Some(id));
        let packed = NewTask { id: Some(id), ..NewTask::new("a", Payload::null()) };
        let packed = Payload::from_message_pack(rmp_serde::to_vec_named(&packed).unwrap().into());
        assert_eq!(task(&packed, &Limits::default()).unwrap().id, Some(id));
    }

    #[test]
    fn one_bad_task_names_its_field_and_spares_the_others() {
        let body = br#"[{"kind": "a"}, {"kind": 7}, {"king": "a"}, {"payload": 1}, "what"]"#;
        let parts = read(body, Some("application/json")).unwrap();
        let results: Vec<_> = parts.iter().map(|part| task(part, &Limits::default())).collect();
        assert!(results[0].is_ok());
        let fields = results[1..].iter().map(|result| result.as_ref().unwrap_err().field.as_deref());
        assert_eq!(fields.collect::<Vec<_>>(), [Some("kind"), Some("king"), Some("kind"), None]);
    }

    #[test]
    fn garbage_lying_lengths_and_depth_are_refused() {
        let deep = |open: &[u8], close: &[u8]| [open.repeat(100_000), close.repeat(100_000)].concat();
        let wrapped = [&b"{\"kind\":\"a\",\"payload\":"[..], &deep(b"[", b"]"), b"}"].concat();
        let packed = [&b"\x82\xa4kind\xa1a\xa7payload"[..], &deep(&[0x91], &[]), &[0xc0]].concat();
        let bodies: [&[u8]; 12] = [
            b"",
            b"\xff\xfe\x00",
            b"nonsense",
            b"{\"kind\":",
            b"{\"kind\":\"a\"} and more",
            &deep(b"[", b"]"),
            &deep(&[0x91], &[]),
            &wrapped,
            &packed,
            &[0xdd, 0xff, 0xff, 0xff, 0xff, 0x80],
            &[0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1, b'a', 0xc6, 0xff, 0xff, 0xff, 0xff],
            &[0x81, 0xdb, 0xff, 0xff, 0xff, 0xff, b'k'],
        ];
        for body in bodies {
            let refused = read(body, None).unwrap_err();
            assert_eq!(refused.code, "CP-1402", "{:?}", &body[..body.len().min(20)]);
        }
        assert!(read(&rmp_serde::to_vec(&vec![(); 1001]).unwrap(), None).is_err());
    }
}
