//! Finds where MessagePack values end without decoding them. Works through a counter, not through calls, so that depth
//! costs nothing, and believes no length that the bytes do not bear out.

/// The length of the value at the start of `bytes`.
pub(super) fn length(bytes: &[u8]) -> Result<usize, String> {
    let mut at = 0_usize;
    let mut values = 1_u64;
    while values > 0 {
        let (skip, inner) = item(bytes.get(at..).unwrap_or_default()).ok_or_else(|| broken(at))?;
        at = at.saturating_add(skip);
        // Each value is a byte at least: more of them than bytes is a lie.
        values = values - 1 + inner;
        if at > bytes.len() || values > (bytes.len() - at) as u64 {
            return Err(format!("the body ends early, {values} values before its end"));
        }
    }
    Ok(at)
}

pub(super) fn is_array(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x90..=0x9f | 0xdc | 0xdd))
}

/// The elements of the array that `bytes` are; `None` when there are more than `most`.
pub(super) fn elements(bytes: &[u8], most: usize) -> Result<Option<Vec<&[u8]>>, String> {
    let (mut at, count) = item(bytes).ok_or_else(|| broken(0))?;
    if count > most as u64 {
        return Ok(None);
    }
    let mut elements = Vec::new();
    for _ in 0..count {
        let rest = bytes.get(at..).unwrap_or_default();
        let length = length(rest)?;
        elements.push(&rest[..length]);
        at += length;
    }
    if at == bytes.len() { Ok(Some(elements)) } else { Err(format!("the body goes on after its array, at byte {at}")) }
}

fn broken(at: usize) -> String {
    format!("the body is not MessagePack: it is broken or ends early at byte {at}")
}

/// The bytes of one item without the values inside it, and how many of those follow.
fn item(bytes: &[u8]) -> Option<(usize, u64)> {
    let size = |width: usize| -> Option<u64> {
        let digits = bytes.get(1..=width)?;
        Some(digits.iter().fold(0, |size, digit| size << 8 | u64::from(*digit)))
    };
    let data = |width: usize, extra: usize| -> Option<(usize, u64)> {
        Some((1 + width + extra + usize::try_from(size(width)?).ok()?, 0))
    };
    let marker = *bytes.first()?;
    Some(match marker {
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => (1, 0),
        0x80..=0x8f => (1, 2 * u64::from(marker & 0x0f)),
        0x90..=0x9f => (1, u64::from(marker & 0x0f)),
        0xa0..=0xbf => (1 + usize::from(marker & 0x1f), 0),
        0xc1 => return None,
        0xc4 | 0xd9 => data(1, 0)?,
        0xc5 | 0xda => data(2, 0)?,
        0xc6 | 0xdb => data(4, 0)?,
        0xc7 => data(1, 1)?,
        0xc8 => data(2, 1)?,
        0xc9 => data(4, 1)?,
        0xcc | 0xd0 => (2, 0),
        0xcd | 0xd1 => (3, 0),
        0xca | 0xce | 0xd2 => (5, 0),
        0xcb | 0xcf | 0xd3 => (9, 0),
        0xd4..=0xd8 => (2 + (1 << (marker - 0xd4)), 0),
        0xdc => (3, size(2)?),
        0xdd => (5, size(4)?),
        0xde => (3, 2 * size(2)?),
        0xdf => (5, 2 * size(4)?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,300}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 20, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{0,40}", inner, 0..20).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn finds_the_end_of_every_value(value in value(), rest in any::<Vec<u8>>()) {
            let mut bytes = rmp_serde::to_vec_named(&value).unwrap();
            let end = bytes.len();
            bytes.extend(rest);
            prop_assert_eq!(length(&bytes), Ok(end));
        }

        #[test]
        fn takes_an_array_apart(values in prop::collection::vec(value(), 0..20)) {
            let bytes = rmp_serde::to_vec_named(&values).unwrap();
            let expected: Vec<_> = values.iter().map(|value| rmp_serde::to_vec_named(value).unwrap()).collect();
            prop_assert_eq!(elements(&bytes, 20).unwrap().unwrap(), expected);
        }

        #[test]
        fn never_panics(bytes in any::<Vec<u8>>()) {
            let _ = (length(&bytes), elements(&bytes, 3));
        }
    }

    #[test]
    fn believes_no_lying_length() {
        for lie in [
            &[0xdf, 0xff, 0xff, 0xff, 0xff][..],
            &[0xc6, 0xff, 0xff, 0xff, 0xff, 1],
            &[0xdb, 0, 0, 0, 9, b'a'],
            &[0xc1],
            &[],
        ] {
            assert!(length(lie).is_err(), "{lie:x?}");
        }
        assert!(elements(&[0xdd, 0, 0, 0, 2, 1], 5).is_err());
        assert_eq!(elements(&[0x92, 1, 2], 1), Ok(None));
    }

    #[test]
    fn depth_costs_nothing() {
        let mut deep = vec![0x91; 1_000_000];
        deep.push(0xc0);
        assert_eq!(length(&deep), Ok(deep.len()));
    }
}
