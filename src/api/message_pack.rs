//! Takes a MessagePack body apart without decoding it, so that depth costs nothing and no length is believed that the
//! bytes do not bear out.

use crate::dispatch::scan::{Fault, Item, Scanner, skip};

/// The length of the value at the start of `bytes`.
pub(super) fn length(bytes: &[u8]) -> Result<usize, Fault> {
    let mut scanner = Scanner::new(bytes);
    skip(&mut scanner)?;
    Ok(scanner.position())
}

pub(super) fn is_array(bytes: &[u8]) -> bool {
    matches!(Scanner::new(bytes).next(), Ok(Item::Array(_)))
}

/// The elements of the array that `bytes` start with; `None` when there are more than `most`.
pub(super) fn elements(bytes: &[u8], most: usize) -> Result<Option<Vec<&[u8]>>, Fault> {
    let mut scanner = Scanner::new(bytes);
    let Item::Array(count) = scanner.next()? else { return Ok(Some(Vec::new())) };
    if count as usize > most {
        return Ok(None);
    }
    let mut elements = Vec::new();
    for _ in 0..count {
        let start = scanner.position();
        skip(&mut scanner)?;
        elements.push(&bytes[start..scanner.position()]);
    }
    Ok(Some(elements))
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
