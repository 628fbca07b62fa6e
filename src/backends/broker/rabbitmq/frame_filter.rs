//! Makes messages of untrusted producers harmless before lapin reads them. lapin decodes tables by recursion,
//! and ends the connection at text that is not UTF-8 or a header longer than a frame: one message with absurd
//! headers would kill this process, or its connection again and again. It also takes bodies of any size into
//! memory. So headers that lapin cannot read are left out, and a body over the limit is withheld: its message
//! comes without one, and marked with its size.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::filtered_connection::Filter;

/// The longest body that is let through. Set by the ingress, which knows how much room there is.
pub(super) type BodyLimit = Arc<AtomicU64>;

/// Filters the frames of one connection on their way from the server to lapin.
pub(super) struct FrameFilter {
    body_limit: BodyLimit,
    /// The longest frame that lapin reads.
    frame_max: usize,
    /// The beginning of a frame; the whole of it where its content is checked.
    pending: Vec<u8>,
    /// Bytes that are left of a frame whose content is not checked, and whether they are dropped.
    passing: usize,
    dropping: bool,
    /// Bytes to come of withheld bodies, by channel.
    withheld: HashMap<[u8; 2], u64>,
}

/// A frame's type, channel and size before its payload, and one byte after it.
const BEFORE: usize = 7;
const CONTENT_HEADER: u8 = 2;
const BODY: u8 = 3;
const END: u8 = 0xce;
/// In a content header: class and weight, then the body's size, then the flags.
const SIZE: usize = BEFORE + 4;
const FLAGS: usize = SIZE + 8;
/// Properties of a longer one are left out unread.
const LARGEST_HEADER: usize = 1 << 20;
const DEEPEST_TABLE: usize = 16;
/// The flag of the property that marks a withheld body. It has no other use: AMQP reserves it.
const CLUSTER_ID: u32 = 2;

impl Filter for FrameFilter {
    /// Leaves out what lapin cannot read.
    fn filter(&mut self, mut input: &[u8], clean: &mut Vec<u8>) {
        while !input.is_empty() {
            if self.passing > 0 {
                let passed = take(&mut input, self.passing);
                self.passing -= passed.len();
                if !self.dropping {
                    clean.extend_from_slice(passed);
                }
                continue;
            }
            let wanted = self.wanted();
            self.pending.extend_from_slice(take(&mut input, wanted - self.pending.len()));
            if self.pending.len() == self.wanted() {
                self.forward(clean);
            }
        }
    }
}

impl FrameFilter {
    pub(super) fn new(body_limit: BodyLimit, frame_max: usize) -> Self {
        let pending = Vec::new();
        let withheld = HashMap::new();
        Self { body_limit, frame_max, pending, passing: 0, dropping: false, withheld }
    }

    /// How long the pending bytes must become.
    fn wanted(&self) -> usize {
        if self.pending.len() < BEFORE || self.pending[0] != CONTENT_HEADER {
            return BEFORE;
        }
        match self.payload() {
            size if size <= LARGEST_HEADER => BEFORE + size + 1,
            _ => FLAGS,
        }
    }

    fn payload(&self) -> usize {
        number(&self.pending, 3).unwrap_or(0)
    }

    fn forward(&mut self, clean: &mut Vec<u8>) {
        let channel = [self.pending[1], self.pending[2]];
        let size = self.payload();
        match self.pending[0] {
            CONTENT_HEADER => {
                self.passing = BEFORE + size + 1 - self.pending.len();
                self.dropping = true;
                if self.passing > 0 {
                    self.pending.extend([0, 0, END]);
                }
                sanitize(&mut self.pending, self.frame_max);
                self.withhold(channel);
                clean.append(&mut self.pending);
            }
            kind => {
                self.passing = size + 1;
                self.dropping = kind == BODY && self.is_withheld(channel, size as u64);
                if !self.dropping {
                    clean.extend_from_slice(&self.pending);
                }
                self.pending.clear();
            }
        }
    }

    /// Takes the body away from a content header when it is too long.
    fn withhold(&mut self, channel: [u8; 2]) {
        self.withheld.remove(&channel);
        let Some(Ok(size)) = self.pending.get(SIZE..FLAGS).map(<[u8; 8]>::try_from) else { return };
        let length = u64::from_be_bytes(size);
        if length <= self.body_limit.load(Ordering::Relaxed) {
            return;
        }
        self.withheld.insert(channel, length);
        self.pending[SIZE..FLAGS].fill(0);
        self.pending[FLAGS + 1] |= 1 << CLUSTER_ID;
        let digits = length.to_string();
        self.pending.pop();
        self.pending.push(digits.len() as u8);
        self.pending.extend(digits.bytes().chain([END]));
        set_size(&mut self.pending);
    }

    fn is_withheld(&mut self, channel: [u8; 2], length: u64) -> bool {
        let Some(left) = self.withheld.get_mut(&channel) else { return false };
        *left = left.saturating_sub(length);
        if *left == 0 {
            self.withheld.remove(&channel);
        }
        true
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
fn sanitize(frame: &mut Vec<u8>, frame_max: usize) {
    if properties(frame, frame_max).is_none() && frame.len() > FLAGS + 2 {
        frame.truncate(FLAGS);
        frame.extend([0, 0, END]);
    }
    set_size(frame);
}

fn set_size(frame: &mut [u8]) {
    let size = u32::try_from(frame.len() - BEFORE - 1).unwrap_or(u32::MAX);
    frame[3..BEFORE].copy_from_slice(&size.to_be_bytes());
}

/// Walks the properties in their order: a flag each, from the highest bit. `None` when they are not what the
/// flags say.
fn properties(frame: &mut Vec<u8>, frame_max: usize) -> Option<()> {
    let mut flags = u16::from_be_bytes([*frame.get(FLAGS)?, *frame.get(FLAGS + 1)?]);
    // Bit 1 is reserved, and bit 0 announces flags that no property has.
    if flags & 0b11 != 0 {
        return None;
    }
    let mut at = FLAGS + 2;
    for bit in (2..16).rev().filter(|bit| flags & 1 << bit != 0).collect::<Vec<_>>() {
        match bit {
            13 => match table(frame, at).filter(|_| frame.len() <= frame_max) {
                Some(end) => at = end,
                None => {
                    let end = at.checked_add(4)?.checked_add(number(frame, at)?)?;
                    frame.get(at..end)?;
                    frame.drain(at..end);
                    flags &= !(1 << bit);
                }
            },
            // One that a producer set would look like a mark of this filter.
            CLUSTER_ID => {
                let end = at + 1 + usize::from(*frame.get(at)?);
                frame.get(at..end)?;
                frame.drain(at..end);
                flags &= !(1 << bit);
            }
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

/// Where the table at `at` ends, if lapin can read it.
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
