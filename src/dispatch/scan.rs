//! Reads MessagePack without decoding it: proves a payload well formed and not too deep, and finds single fields.
//! Walks iteratively, so that no payload, however deep, costs stack; allocates only for the containers that are open.

/// One value, or the head of a container whose items follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Item<'a> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    /// Below zero.
    Negative(i64),
    Float(f64),
    Text(&'a str),
    /// Bytes or an extension.
    Opaque,
    Array(u32),
    Map(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("it is not well-formed MessagePack: {what} at byte {at}")]
    Malformed { at: usize, what: &'static str },
    #[error("it is nested deeper than {limit} levels (at byte {at})")]
    TooDeep { at: usize, limit: usize },
}

pub(crate) struct Scanner<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) const fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }

    /// How many bytes have been read.
    pub(crate) const fn position(&self) -> usize {
        self.at
    }

    const fn fault<T>(&self, what: &'static str) -> Result<T, Fault> {
        Err(Fault::Malformed { at: self.at, what })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        match self.at.checked_add(count).and_then(|end| self.all.get(self.at..end)) {
            Some(bytes) => {
                self.at += count;
                Ok(bytes)
            }
            None => self.fault("a value reaches past the end"),
        }
    }

    /// A big-endian number of `width` bytes, at most eight.
    fn number(&mut self, width: usize) -> Result<u64, Fault> {
        Ok(self.take(width)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The same, with its sign.
    fn signed(&mut self, width: usize) -> Result<Item<'a>, Fault> {
        let unused = 64 - 8 * width as u32;
        let number = (self.number(width)? << unused) as i64 >> unused;
        Ok(u64::try_from(number).map_or(Item::Negative(number), Item::Unsigned))
    }

    fn length(&mut self, width: usize) -> Result<usize, Fault> {
        self.number(width).map(|number| number as usize)
    }

    fn text(&mut self, length: usize) -> Result<Item<'a>, Fault> {
        let start = self.at;
        let bytes = self.take(length)?;
        let fault = Fault::Malformed { at: start, what: "text that is not UTF-8" };
        std::str::from_utf8(bytes).map(Item::Text).map_err(|_| fault)
    }

    fn opaque(&mut self, length: usize) -> Result<Item<'a>, Fault> {
        self.take(length).map(|_| Item::Opaque)
    }

    /// The next value, or the head of the next container.
    pub(crate) fn next(&mut self) -> Result<Item<'a>, Fault> {
        let head = self.take(1)?[0];
        Ok(match head {
            0x00..=0x7f => Item::Unsigned(u64::from(head)),
            0x80..=0x8f => Item::Map(u32::from(head & 0x0f)),
            0x90..=0x9f => Item::Array(u32::from(head & 0x0f)),
            0xa0..=0xbf => self.text(usize::from(head & 0x1f))?,
            0xc0 => Item::Nil,
            0xc1 => {
                self.at -= 1;
                return self.fault("the byte 0xc1, which stands for nothing");
            }
            0xc2 | 0xc3 => Item::Bool(head == 0xc3),
            0xc4..=0xc6 => {
                let length = self.length(1 << (head - 0xc4))?;
                self.opaque(length)?
            }
            // An extension has one byte of type before its data.
            0xc7..=0xc9 => {
                let length = self.length(1 << (head - 0xc7))?;
                self.opaque(length.saturating_add(1))?
            }
            0xca => Item::Float(f64::from(f32::from_bits(self.number(4)? as u32))),
            0xcb => Item::Float(f64::from_bits(self.number(8)?)),
            0xcc..=0xcf => Item::Unsigned(self.number(1 << (head - 0xcc))?),
            0xd0..=0xd3 => self.signed(1 << (head - 0xd0))?,
            0xd4..=0xd8 => self.opaque(1 + (1 << (head - 0xd4)))?,
            0xd9..=0xdb => {
                let length = self.length(1 << (head - 0xd9))?;
                self.text(length)?
            }
            0xdc | 0xdd => Item::Array(self.number(2 << (head - 0xdc))? as u32),
            0xde | 0xdf => Item::Map(self.number(2 << (head - 0xde))? as u32),
            0xe0..=0xff => Item::Negative(i64::from(head as i8)),
        })
    }
}

/// A container on the way down: how many values it still lacks, and whether every other one is a key.
struct Open {
    left: u64,
    keyed: bool,
}

/// Proves that `bytes` are exactly one value, nested at most `limit` deep, that JSON can show: map keys are scalars.
pub(super) fn check(bytes: &[u8], limit: usize) -> Result<(), Fault> {
    let mut scanner = Scanner::new(bytes);
    let mut open: Vec<Open> = Vec::new();
    loop {
        let at = scanner.at;
        let is_key = open.last().is_some_and(|container| container.keyed && container.left % 2 == 0);
        let item = scanner.next()?;
        if let Some(container) = open.last_mut() {
            container.left -= 1;
        }
        let inner = match item {
            Item::Array(count) => Some(Open { left: u64::from(count), keyed: false }),
            Item::Map(count) => Some(Open { left: u64::from(count) * 2, keyed: true }),
            _ => None,
        };
        if is_key && (inner.is_some() || matches!(item, Item::Nil | Item::Opaque)) {
            return Err(Fault::Malformed { at, what: "a map key that is neither text nor a number" });
        }
        if let Some(inner) = inner {
            // Each value takes a byte or more, so a count beyond the rest is a lie that needs no walk to see.
            if inner.left > (bytes.len() - scanner.at) as u64 {
                return Err(Fault::Malformed { at, what: "a container with more items than there are bytes" });
            }
            if open.len() == limit {
                return Err(Fault::TooDeep { at, limit });
            }
            open.push(inner);
        }
        while open.last().is_some_and(|container| container.left == 0) {
            open.pop();
        }
        if open.is_empty() {
            break;
        }
    }
    if scanner.at == bytes.len() { Ok(()) } else { scanner.fault("more bytes after the value") }
}

/// The value at a path of map keys. Only the containers on the way are entered; the rest is passed over.
pub(super) fn find<'a>(bytes: &'a [u8], path: &[String]) -> Option<Item<'a>> {
    let mut scanner = Scanner::new(bytes);
    for step in path {
        let Item::Map(count) = scanner.next().ok()? else { return None };
        enter(&mut scanner, count, step)?;
    }
    scanner.next().ok()
}

/// Moves to the value of `key` in a map of `count` entries.
fn enter(scanner: &mut Scanner<'_>, count: u32, key: &str) -> Option<()> {
    for _ in 0..count {
        if scanner.next().ok()? == Item::Text(key) {
            return Some(());
        }
        skip(scanner).ok()?;
    }
    None
}

/// Passes over one value with all that is in it.
pub(crate) fn skip(scanner: &mut Scanner<'_>) -> Result<(), Fault> {
    let mut left = 1u64;
    while left > 0 {
        left -= 1;
        left += match scanner.next()? {
            Item::Array(count) => u64::from(count),
            Item::Map(count) => u64::from(count) * 2,
            _ => 0,
        };
    }
    Ok(())
}
