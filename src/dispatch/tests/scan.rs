use proptest::prelude::*;

use crate::{
    dispatch::scan::{Fault, Item, check, find},
    task::Payload,
};

fn nested(depth: usize, open: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = open.iter().copied().cycle().take(open.len() * depth).collect();
    bytes.push(0xc0);
    bytes
}

#[test]
fn depth_is_counted_in_containers() {
    assert_eq!(check(&nested(64, &[0x91]), 64), Ok(()));
    assert_eq!(check(&nested(65, &[0x91]), 64), Err(Fault::TooDeep { at: 64, limit: 64 }));
    assert_eq!(check(&nested(100_000, &[0x81, 0xa1, b'k']), 64), Err(Fault::TooDeep { at: 192, limit: 64 }));
    assert_eq!(check(&nested(0, &[]), 0), Ok(()));
}

#[test]
fn lies_and_fragments_are_refused() {
    let faulty: [(&[u8], &str); 12] = [
        (&[], "past the end"),
        (&[0xc1], "stands for nothing"),
        (&[0xdd, 0xff, 0xff, 0xff, 0xff], "more items than there are bytes"),
        (&[0xdf, 0x80, 0, 0, 0, 1], "more items than there are bytes"),
        (&[0xdb, 0xff, 0xff, 0xff, 0xff, b'a'], "past the end"),
        (&[0xc6, 0xff, 0xff, 0xff, 0xff], "past the end"),
        (&[0xc9, 0xff, 0xff, 0xff, 0xff, 1], "past the end"),
        (&[0xa2, 0xff, 0xfe], "not UTF-8"),
        (&[0x01, 0x02], "more bytes after"),
        (&[0x92, 0x01], "more items than there are bytes"),
        (&[0x81, 0x90, 0x01], "map key"),
        (&[0x81, 0xc0, 0x01], "map key"),
    ];
    for (bytes, problem) in faulty {
        let fault = check(bytes, 64).unwrap_err().to_string();
        assert!(fault.contains(problem), "{bytes:x?}: {fault}");
    }
}

/// Bytes, extensions and keys that are numbers have no JSON of their own, and still print.
#[test]
fn what_json_lacks_can_be_shown() {
    let values: [&[u8]; 5] =
        [&[0xc4, 2, 0, 255], &[0xd4, 1, 2], &[0xd6, 0xff, 0, 0, 0, 0], &[0x81, 0x07, 0x01], &[0x82, 0xc3, 1, 0xe0, 2]];
    for bytes in values {
        assert_eq!(check(bytes, 64), Ok(()), "{bytes:x?}");
        let payload = Payload::from_message_pack(bytes::Bytes::copy_from_slice(bytes));
        assert!(serde_json::to_string(&payload).is_ok(), "{bytes:x?}");
    }
}

#[test]
fn fields_are_found_by_path() {
    let json = serde_json::json!({"a": [1, {"b": 2}], "user": {"plan": "gold", "age": -7, "rate": 0.5, "vip": true}});
    let payload = Payload::encode(&json).unwrap();
    let found = |path: &str| {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        find(payload.as_message_pack(), &path)
    };
    assert_eq!(found("user.plan"), Some(Item::Text("gold")));
    assert_eq!(found("user.age"), Some(Item::Negative(-7)));
    assert_eq!(found("user.rate"), Some(Item::Float(0.5)));
    assert_eq!(found("user.vip"), Some(Item::Bool(true)));
    assert_eq!(found("user"), Some(Item::Map(4)));
    assert_eq!(found("user.nobody"), None);
    assert_eq!(found("a.b"), None);
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        (-1e9..1e9f64).prop_map(Into::into),
        ".{0,40}".prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec(("[a-z]{1,8}", inner), 0..6)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        serde_json::Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

proptest! {
    /// What our encoder writes is well formed, at exactly its own depth.
    #[test]
    fn agrees_with_the_encoder(value in json()) {
        let bytes = rmp_serde::to_vec_named(&value).unwrap();
        let deep = depth(&value);
        prop_assert_eq!(check(&bytes, deep), Ok(()));
        if deep > 0 {
            let too_deep = matches!(check(&bytes, deep - 1), Err(Fault::TooDeep { .. }));
            prop_assert!(too_deep);
        }
    }

    /// Whatever passes can be decoded and shown as JSON; nothing makes the scanner panic or run on.
    #[test]
    fn what_passes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = find(&bytes, &["a".to_owned(), "b".to_owned()]);
        if check(&bytes, 64).is_ok() {
            let payload = Payload::from_message_pack(bytes.into());
            prop_assert!(serde_json::to_string(&payload).is_ok(), "{:x?}", payload.as_message_pack());
        }
    }

    #[test]
    fn damage_is_noticed_or_harmless(value in json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = rmp_serde::to_vec_named(&value).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if check(&bytes, 64).is_ok() {
            prop_assert!(serde_json::to_string(&Payload::from_message_pack(bytes.into())).is_ok());
        }
    }

    /// A field is found as the decoded payload has it.
    #[test]
    fn finds_what_decoding_finds(value in json(), path in prop::collection::vec("[a-z]{1,2}", 1..3)) {
        let mut expected = Some(&value);
        for step in &path {
            expected = expected.and_then(|value| value.get(step));
        }
        let bytes = rmp_serde::to_vec_named(&value).unwrap();
        prop_assert_eq!(find(&bytes, &path).is_some(), expected.is_some());
    }
}
