//! Reads MessagePack without decoding it, and finds single fields. Walks iteratively and allocates nothing,
//! so that no payload, however deep, costs stack or memory.

/// One value, or the head of a container whose items follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item<'a> {
    /// Nothing.
    Nil,
    /// True or false.
    Bool(bool),
    /// An integer of zero or more.
    Unsigned(u64),
    /// Below zero.
    Negative(i64),
    /// Of 32 or 64 bits.
    Float(f64),
    /// UTF-8, checked.
    Text(&'a str),
    /// Binary, which JSON lacks.
    Bytes(&'a [u8]),
    /// Its type and its data.
    Extension(i8, &'a [u8]),
    /// How many values follow.
    Array(u32),
    /// How many pairs of a key and a value follow.
    Map(u32),
}

/// Where bytes stop being MessagePack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not well-formed MessagePack: {what} at byte {at}")]
pub struct Fault {
    pub(super) at: usize,
    pub(crate) what: &'static str,
}

#[derive(Clone)]
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

    pub(super) const fn fault<T>(&self, what: &'static str) -> Result<T, Fault> {
        Err(Fault { at: self.at, what })
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
        let fault = Fault { at: start, what: "text that is not UTF-8" };
        std::str::from_utf8(bytes).map(Item::Text).map_err(|_| fault)
    }

    fn extension(&mut self, length: usize) -> Result<Item<'a>, Fault> {
        let kind = self.take(1)?[0] as i8;
        self.take(length).map(|data| Item::Extension(kind, data))
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
                Item::Bytes(self.take(length)?)
            }
            0xc7..=0xc9 => {
                let length = self.length(1 << (head - 0xc7))?;
                self.extension(length)?
            }
            0xca => Item::Float(f64::from(f32::from_bits(self.number(4)? as u32))),
            0xcb => Item::Float(f64::from_bits(self.number(8)?)),
            0xcc..=0xcf => Item::Unsigned(self.number(1 << (head - 0xcc))?),
            0xd0..=0xd3 => self.signed(1 << (head - 0xd0))?,
            0xd4..=0xd8 => self.extension(1 << (head - 0xd4))?,
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

/// The value at a path of map keys. Only the containers on the way are entered; the rest is passed over.
pub fn find<'a>(bytes: &'a [u8], path: &[String]) -> Option<Item<'a>> {
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
