//! Proves that a payload is one that every handler reads as its producer sent it, in Rust and through JSON
//! alike.
//!
//! Guarantees: one pass, without decoding; no payload, however deep or wide, costs stack or more than the
//! order of its bytes. Never does: change a value to make it fit.

use super::{
    route::Route,
    scan::{Fault, Item, Scanner, skip},
};

/// Why a payload cannot be kept as it is. Routes lead from the payload's top: `items[3].price`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is not one MessagePack value.
    #[error(transparent)]
    Malformed(#[from] Fault),
    /// Its containers lie in one another deeper than allowed.
    #[error("it is nested deeper than {limit} levels (at byte {at})")]
    TooDeep {
        /// The byte at which it goes too deep.
        at: usize,
        /// The deepest that is allowed.
        limit: usize,
    },
    /// A value that JSON cannot hold: a handler beyond JSON would read another one.
    #[error("it is {what}, which not every handler reads as it was sent: send it as text")]
    Changing {
        /// Where the value stands.
        route: Route,
        /// What it is, in words: "a MessagePack timestamp".
        what: &'static str,
    },
    /// An object with one key twice.
    #[error(
        "the key {key:?} stands twice in one object, and readers differ in which one they take: send it once"
    )]
    Repeated {
        /// Where the object stands.
        route: Route,
        /// The name that it has twice.
        key: String,
    },
}

/// A container on the way down.
struct Open {
    /// How many values it still lacks.
    left: u64,
    keyed: bool,
    /// Where its keys begin among all that were seen.
    keys: usize,
}

/// Proves that `bytes` are exactly one value, nested at most `limit` deep, that JSON can hold as well.
pub fn check(bytes: &[u8], limit: usize) -> Result<(), Unfit> {
    let mut scanner = Scanner::new(bytes);
    let mut open: Vec<Open> = Vec::new();
    let mut keys: Vec<(&str, usize)> = Vec::new();
    loop {
        let at = scanner.position();
        let item = scanner.next()?;
        let is_key = open.last().is_some_and(|container| container.keyed && container.left % 2 == 0);
        if let Some(container) = open.last_mut() {
            container.left -= 1;
        }
        match item {
            Item::Text(key) if is_key => keys.push((key, at)),
            _ if is_key => return Err(changing(bytes, at, "a key that is not text")),
            Item::Extension(-1, _) => return Err(changing(bytes, at, "a MessagePack timestamp")),
            Item::Extension(..) => return Err(changing(bytes, at, "a MessagePack extension")),
            Item::Float(number) if !number.is_finite() => {
                return Err(changing(bytes, at, "NaN or an infinity"));
            }
            Item::Array(count) => open.push(Open { left: u64::from(count), keyed: false, keys: keys.len() }),
            Item::Map(count) => open.push(Open { left: u64::from(count) * 2, keyed: true, keys: keys.len() }),
            _ => {}
        }
        if matches!(item, Item::Array(_) | Item::Map(_)) {
            if open.len() > limit {
                return Err(Unfit::TooDeep { at, limit });
            }
            // Each value takes a byte or more, so a count beyond the rest is a lie that needs no walk to see.
            if open.last().is_some_and(|inner| inner.left > (bytes.len() - scanner.position()) as u64) {
                return Err(Fault { at, what: "a container with more items than there are bytes" }.into());
            }
        }
        while let Some(done) = open.pop_if(|container| container.left == 0) {
            once_each(bytes, &mut keys[done.keys..])?;
            keys.truncate(done.keys);
        }
        if open.is_empty() {
            break;
        }
    }
    if scanner.position() == bytes.len() { Ok(()) } else { Ok(scanner.fault("more bytes after the value")?) }
}

/// Sorting finds two of the same among many in little time, however they were chosen.
fn once_each(bytes: &[u8], keys: &mut [(&str, usize)]) -> Result<(), Unfit> {
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(Unfit::Repeated { route: route(bytes, pair[1].1), key: pair[1].0.to_owned() }),
        None => Ok(()),
    }
}

fn changing(bytes: &[u8], at: usize, what: &'static str) -> Unfit {
    Unfit::Changing { route: route(bytes, at), what }
}

/// The way to the value, or the key, at byte `at`. A second walk, for faults alone.
fn route(bytes: &[u8], at: usize) -> Route {
    let mut route = Route::default();
    let mut scanner = Scanner::new(bytes);
    // What is walked here was walked before; that it cannot be read does not happen.
    while let Ok(Some(())) = descend(&mut scanner, at, &mut route) {}
    route
}

/// A key that is no text, as JSON would spell it.
fn spelled(key: &Item<'_>) -> String {
    match key {
        Item::Unsigned(number) => number.to_string(),
        Item::Negative(number) => number.to_string(),
        Item::Bool(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}

/// One step down, into the container at hand, towards `at`. `None` where there is nothing further down.
fn descend(scanner: &mut Scanner<'_>, at: usize, route: &mut Route) -> Result<Option<()>, Fault> {
    if scanner.position() >= at {
        return Ok(None);
    }
    let (count, keyed) = match scanner.next()? {
        Item::Array(count) => (count, false),
        Item::Map(count) => (count, true),
        _ => return Ok(None),
    };
    for index in 0..count {
        let key = if keyed { Some((scanner.position(), scanner.next()?)) } else { None };
        let start = scanner.position();
        let mut ahead = scanner.clone();
        skip(&mut ahead)?;
        if at < ahead.position() {
            match key {
                None => route.index(index as usize),
                Some((_, Item::Text(key))) => route.key(key),
                Some((_, key)) => route.key(&spelled(&key)),
            }
            return Ok((at >= start).then_some(()));
        }
        *scanner = ahead;
    }
    Ok(None)
}
