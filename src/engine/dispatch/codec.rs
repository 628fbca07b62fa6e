//! Reads the new tasks out of an untrusted message: JSON or MessagePack, one task or an array of them.

use bytes::Bytes;

use super::Rejection;
pub use clawpool_core::task::document::Format;
use clawpool_core::{
    config::Limits,
    task::{document::Parts, without_mark},
};

/// The format by what the producer says, else by the first byte: JSON's brackets are numbers in MessagePack,
/// and no task.
pub fn format(content_type: Option<&str>, body: &[u8]) -> Format {
    let named = content_type.unwrap_or_default().to_ascii_lowercase();
    match without_mark(body).trim_ascii_start().first() {
        _ if named.contains("json") => Format::Json,
        _ if named.contains("msgpack") => Format::MessagePack,
        Some(b'{' | b'[') => Format::Json,
        _ => Format::MessagePack,
    }
}

/// What a producer writes into the header of a message in this format.
pub const fn content_type(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json",
        Format::MessagePack => "application/msgpack",
    }
}

/// The parts of `body` that should be tasks, as they came, so that a bad one does not lose the others.
pub fn parts(body: &Bytes, format: Format, limits: &Limits) -> Result<Vec<Bytes>, Rejection> {
    Ok(match format.parts(body, limits.batch.into())? {
        Parts::One(part) => vec![body.slice_ref(part)],
        Parts::Many(parts) => parts.into_iter().map(|part| body.slice_ref(part)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use clawpool_core::task::NewTask;

    fn read(body: &[u8], content_type: Option<&str>) -> Result<Vec<Result<NewTask, Rejection>>, Rejection> {
        let format = format(content_type, body);
        let body = Bytes::copy_from_slice(body);
        parts(&body, format, &Limits::default())
            .map(|parts| parts.iter().map(|part| format.task(part).map_err(Rejection::from)).collect())
    }

    #[test]
    fn reads_one_or_many_in_either_format() {
        let one = json!({"kind": "a.b", "payload": {"deep": [1, null]}, "ttl": "5s", "priority": "P2"});
        let many = json!([one, one]);
        for body in [serde_json::to_vec(&one).unwrap(), rmp_serde::to_vec_named(&one).unwrap()] {
            let tasks = read(&body, None).unwrap();
            let task = tasks[0].as_ref().unwrap();
            assert_eq!((tasks.len(), task.kind.as_str()), (1, "a.b"));
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
            assert!(read(body, content_type).unwrap()[0].is_ok());
        }
    }

    #[test]
    fn one_bad_task_names_its_field_and_spares_the_others() {
        let body = br#"[{"kind": "a"}, {"kind": 7}, {"king": "a"}, {"payload": 1}, "what",
                        {"kind": "a", "payload": {"n": 18446744073709551616}}]"#;
        let results = read(body, Some("application/json")).unwrap();
        assert!(results[0].is_ok());
        let fields = results[1..].iter().map(|result| result.as_ref().unwrap_err().field.as_deref());
        let expected = [Some("kind"), Some("king"), Some("kind"), None, Some("payload.n")];
        assert_eq!(fields.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn garbage_lying_lengths_and_depth_are_refused() {
        let deep = |open: &[u8], close: &[u8]| [open.repeat(100_000), close.repeat(100_000)].concat();
        let bodies: [&[u8]; 10] = [
            b"",
            b"\xff\xfe\x00",
            b"nonsense",
            b"{\"kind\":",
            b"{\"kind\":\"a\"} and more",
            &deep(b"[", b"]"),
            &deep(&[0x91], &[]),
            &[0xdd, 0xff, 0xff, 0xff, 0xff, 0x80],
            &[0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1, b'a', 0xc6, 0xff, 0xff, 0xff, 0xff],
            &[0x81, 0xdb, 0xff, 0xff, 0xff, 0xff, b'k'],
        ];
        for body in bodies {
            let refused = read(body, None).and_then(|mut tasks| tasks.remove(0)).unwrap_err();
            assert!(
                ["CP-1401", "CP-1402", "CP-1407"].contains(&refused.code),
                "{:?}",
                &body[..body.len().min(20)]
            );
        }
        assert_eq!(read(&rmp_serde::to_vec(&vec![(); 1001]).unwrap(), None).unwrap_err().code, "CP-1407");
        assert_eq!(read(b"[]", None).unwrap_err().code, "CP-1401");
        let wrapped = [&b"{\"kind\":\"a\",\"payload\":"[..], &deep(b"[", b"]"), b"}"].concat();
        assert_eq!(read(&wrapped, None).unwrap()[0].as_ref().unwrap_err().code, "CP-1106");
    }
}
