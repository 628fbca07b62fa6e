//! Makes message headers harmless that anybody may have sent. The client decodes tables by recursion and ends the
//! connection at text that is not UTF-8, so one message with absurd headers would kill this process, or its connection
//! again and again. Bodies pass untouched.

#[cfg(test)]
mod tests;

/// Frames pass through here on their way to the client.
#[derive(Default)]
pub(super) struct Scrubber {
    /// The beginning of a frame, up to the whole of one that is looked into.
    pending: Vec<u8>,
    /// What is left of a frame that nobody looks into.
    passing: usize,
}

/// A frame's type, channel and size before its payload, and one byte after it.
const BEFORE: usize = 7;
const CONTENT_HEADER: u8 = 2;
/// Class, weight and body size come before a content header's flags.
const FLAGS: usize = BEFORE + 12;
const LARGEST_HEADER: usize = 1 << 20;
const DEEPEST_TABLE: usize = 16;

impl Scrubber {
    /// Appends to `clean` as much as is known to be harmless. Fails at a header larger than any server sends.
    pub(super) fn feed(&mut self, mut input: &[u8], clean: &mut Vec<u8>) -> Result<(), &'static str> {
        while !input.is_empty() {
            if self.passing > 0 {
                let passed = take(&mut input, self.passing);
                self.passing -= passed.len();
                clean.extend_from_slice(passed);
                continue;
            }
            let whole = self.wanted()?;
            self.pending.extend_from_slice(take(&mut input, whole - self.pending.len()));
            if self.pending.len() == BEFORE && self.pending[0] != CONTENT_HEADER {
                self.passing = self.payload() + 1;
                clean.append(&mut self.pending);
            } else if self.pending.len() > BEFORE && self.pending.len() == whole {
                scrub(&mut self.pending);
                clean.append(&mut self.pending);
            }
        }
        Ok(())
    }

    /// How long the pending bytes must become.
    fn wanted(&self) -> Result<usize, &'static str> {
        if self.pending.len() < BEFORE {
            return Ok(BEFORE);
        }
        match self.payload() {
            size if size <= LARGEST_HEADER => Ok(BEFORE + size + 1),
            _ => Err("a message header is larger than any server sends"),
        }
    }

    fn payload(&self) -> usize {
        number(&self.pending, 3).unwrap_or(0)
    }
}

fn take<'a>(input: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    taken
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let digits = bytes.get(at..at.checked_add(4)?)?;
    Some(digits.iter().fold(0, |number, digit| number << 8 | usize::from(*digit)))
}

/// Mends one whole content header frame. Properties that cannot be mended are left out.
fn scrub(frame: &mut Vec<u8>) {
    if properties(frame).is_none() && frame.len() > FLAGS + 2 {
        frame.truncate(FLAGS);
        frame.extend([0, 0, 0xce]);
    }
    let size = u32::try_from(frame.len() - BEFORE - 1).unwrap_or(u32::MAX);
    frame[3..BEFORE].copy_from_slice(&size.to_be_bytes());
}

/// Walks the properties in their order: a flag each, from the highest bit. `None` when they are not what the flags say.
fn properties(frame: &mut Vec<u8>) -> Option<()> {
    let mut flags = u16::from_be_bytes([*frame.get(FLAGS)?, *frame.get(FLAGS + 1)?]);
    // Bit 1 is reserved, and bit 0 announces flags that no property has.
    if flags & 0b11 != 0 {
        return None;
    }
    let mut at = FLAGS + 2;
    for bit in (2..16).rev().filter(|bit| flags & 1 << bit != 0).collect::<Vec<_>>() {
        match bit {
            13 => match table(frame, at) {
                Some(end) => at = end,
                None => {
                    let end = at.checked_add(4)?.checked_add(number(frame, at)?)?;
                    frame.get(at..end)?;
                    frame.drain(at..end);
                    flags &= !(1 << bit);
                }
            },
            11 | 12 => at += 1,
            6 => at += 8,
            _ => at = text(frame, at)?,
        }
    }
    frame[FLAGS..FLAGS + 2].copy_from_slice(&flags.to_be_bytes());
    // Nothing but the frame's end follows.
    (at + 1 == frame.len()).then_some(())
}

/// Where the short text at `at` ends. What is not UTF-8 in it becomes question marks.
fn text(frame: &mut [u8], at: usize) -> Option<usize> {
    let end = at + 1 + usize::from(*frame.get(at)?);
    let text = frame.get_mut(at + 1..end)?;
    while let Err(error) = std::str::from_utf8(text) {
        let from = error.valid_up_to();
        let to = error.error_len().map_or(text.len(), |length| from + length);
        text[from..to].fill(b'?');
    }
    Some(end)
}

/// Where the table at `at` ends, if the client can read it.
fn table(frame: &[u8], at: usize) -> Option<usize> {
    let end = (at + 4).checked_add(number(frame, at)?)?;
    let bytes = frame.get(..end)?;
    let mut at = at + 4;
    // The tables (with names) and arrays (without) that the walk is in.
    let mut inside = vec![(end, true)];
    while let Some(&(end, named)) = inside.last() {
        if at == end {
            inside.pop();
            continue;
        }
        if named {
            let name = at + 1..at + 1 + usize::from(*bytes.get(at)?);
            at = name.end;
            std::str::from_utf8(bytes.get(name)?).ok()?;
        }
        let kind = *bytes.get(at)?;
        at += 1;
        if let b'A' | b'F' = kind {
            let length = number(bytes, at)?;
            at += 4;
            inside.push((at.checked_add(length)?, kind == b'F'));
        } else {
            at = at.checked_add(width(kind, bytes, at)?)?;
        }
        let fits = at <= end && inside.last()?.0 <= end && inside.len() <= DEEPEST_TABLE;
        fits.then_some(())?;
    }
    Some(at)
}

fn width(kind: u8, bytes: &[u8], at: usize) -> Option<usize> {
    Some(match kind {
        b'V' => 0,
        b't' | b'b' | b'B' => 1,
        b's' | b'U' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'L' | b'l' | b'd' | b'T' => 8,
        b'S' | b'x' => 4 + number(bytes, at)?,
        _ => return None,
    })
}
