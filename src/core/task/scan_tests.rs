use proptest::prelude::*;

use super::{
    Payload,
    proof::{Unfit, check},
    scan::{Item, find},
};

fn nested(depth: usize, open: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = open.iter().copied().cycle().take(open.len() * depth).collect();
    bytes.push(0xc0);
    bytes
}

#[test]
fn depth_is_counted_in_containers() {
    assert_eq!(check(&nested(64, &[0x91]), 64), Ok(()));
    assert_eq!(check(&nested(65, &[0x91]), 64), Err(Unfit::TooDeep { at: 64, limit: 64 }));
    assert_eq!(check(&nested(100_000, &[0x81, 0xa1, b'k']), 64), Err(Unfit::TooDeep { at: 192, limit: 64 }));
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
        (&[0x81, 0x90, 0x01], "key"),
        (&[0x81, 0xc0, 0x01], "key"),
    ];
    for (bytes, problem) in faulty {
        let fault = check(bytes, 64).unwrap_err().to_string();
        assert!(fault.contains(problem), "{bytes:x?}: {fault}");
    }
}

/// Bytes have no JSON of their own, and single floats no number type; both still print, each as it is.
#[test]
fn what_json_lacks_is_shown_as_it_is() {
    let values: [(&[u8], &str); 2] =
        [(&[0xc4, 2, 0, 255], "[0,255]"), (&[0xca, 0x3d, 0xcc, 0xcc, 0xcd], "0.10000000149011612")];
    for (bytes, json) in values {
        assert_eq!(check(bytes, 64), Ok(()), "{bytes:x?}");
        let payload = Payload::from_message_pack(bytes::Bytes::copy_from_slice(bytes));
        assert_eq!(serde_json::to_string(&payload).unwrap(), json);
    }
}

/// `{"a": {"b c": [0, VALUE]}}`.
fn within(value: &[u8]) -> Vec<u8> {
    [b"\x81\xa1a\x81\xa3b c\x92\x00".as_slice(), value].concat()
}

#[test]
fn what_another_reader_would_see_differently_is_refused_with_its_place() {
    let values: [(&[u8], &str); 9] = [
        (&[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], "NaN"),
        (&[0xcb, 0xff, 0xf0, 0, 0, 0, 0, 0, 0], "infinity"),
        (&[0xca, 0x7f, 0x80, 0, 0], "infinity"),
        (&[0xd6, 0xff, 0, 0, 0, 0], "timestamp"),
        (&[0xc7, 12, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "timestamp"),
        (&[0xd4, 1, 2], "extension"),
        (&[0x81, 0x01, 0x02], "key that is not text"),
        (&[0x82, 0xa1, b'1', 0x02, 0x01, 0x02], "key that is not text"),
        (&[0x81, 0xc3, 0x02], "key that is not text"),
    ];
    for (value, what) in values {
        let Err(Unfit::Changing { route, what: found }) = check(&within(value), 64) else {
            panic!("{value:x?}")
        };
        assert!(found.contains(what), "{value:x?}: {found}");
        assert!(route.within("payload").starts_with("payload.a[\"b c\"][1]"), "{route}");
    }
}

#[test]
fn no_key_stands_twice_at_any_depth() {
    let twice: [&[u8]; 3] = [
        b"\x82\xa4plan\x01\xa4plan\x02",
        b"\x83\xa4plan\x01\xa1z\xc0\xa4plan\x02",
        // Short and long heads of text make no two keys of one.
        b"\x82\xa4plan\x01\xd9\x04plan\x02",
    ];
    for value in twice {
        let Err(Unfit::Repeated { route, key }) = check(&within(value), 64) else { panic!("{value:x?}") };
        assert_eq!((route.within("payload").as_str(), key.as_str()), ("payload.a[\"b c\"][1].plan", "plan"));
    }
    let alike = serde_json::json!({"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}], "A": 1, "": 2});
    assert_eq!(check(Payload::encode(&alike).unwrap().as_message_pack(), 64), Ok(()));
}

/// Many keys cost the order of their number, whatever they are.
#[test]
fn a_wide_object_is_proved_too() {
    let wide = |count: u32| -> std::collections::BTreeMap<String, u32> {
        (0..count).map(|number| (format!("{number:x}"), number)).collect()
    };
    let bytes = rmp_serde::to_vec_named(&wide(200_000)).unwrap();
    assert_eq!(check(&bytes, 64), Ok(()));
    let mut twice = rmp_serde::to_vec_named(&wide(70_000)).unwrap();
    twice.splice(0..5, [0xdf, 0, 1, 0x11, 0x71]);
    twice.extend(b"\xa1a\x01");
    assert!(matches!(check(&twice, 64), Err(Unfit::Repeated { .. })));
}

#[test]
fn fields_are_found_by_path() {
    let user = serde_json::json!({"plan": "gold", "age": -7, "rate": 0.5, "vip": true});
    let json = serde_json::json!({"a": [1, {"b": 2}], "user": user});
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
            let too_deep = matches!(check(&bytes, deep - 1), Err(Unfit::TooDeep { .. }));
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
    fn damage_is_noticed_or_harmless(value in json(), at in any::<prop::sample::Index>(), byte in
    any::<u8>()) {
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
