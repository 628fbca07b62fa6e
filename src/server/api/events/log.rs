use std::{collections::VecDeque, sync::Arc};

use super::frame::Frame;

/// The latest events of the journal, for all streams of this process. Who is slower than this asks the store.
#[derive(Default)]
pub(super) struct Log {
    /// The number of the first one that is kept.
    first: u64,
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
}

const FRAMES: usize = 1_024;
const BYTES: usize = 4 << 20;
/// Handed to a stream at a time.
const AT_ONCE: usize = 32;

impl Log {
    pub(super) fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    pub(super) fn add(&mut self, frames: impl IntoIterator<Item = Frame>) {
        for frame in frames {
            self.bytes += frame.len();
            self.frames.push_back(Arc::new(frame));
        }
        while self.frames.len() > FRAMES || self.bytes > BYTES {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.bytes -= oldest.len();
            self.first += 1;
        }
    }

    /// The next ones from this number on; None: they are not kept any more.
    pub(super) fn from(&self, number: u64) -> Option<Vec<Arc<Frame>>> {
        let skip = usize::try_from(number.checked_sub(self.first)?).ok()?;
        Some(self.frames.iter().skip(skip).take(AT_ONCE).cloned().collect())
    }

    /// Keeps the numbers going.
    pub(super) fn clear(&mut self) {
        *self = Self { first: self.end(), ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::{super::places::Places, *};
    use clawpool_backends::store::{Place, Topic};

    fn gap(number: u64) -> Frame {
        Frame::gap(Topic::Audit, Place(number, 0), Places::default())
    }

    #[test]
    fn it_keeps_the_latest_and_knows_who_is_behind() {
        let mut log = Log::default();
        log.add((0..FRAMES as u64 + 10).map(gap));
        assert_eq!((log.frames.len(), log.end()), (FRAMES, FRAMES as u64 + 10));
        assert!(log.from(9).is_none());
        assert_eq!(log.from(10).unwrap().len(), AT_ONCE);
        assert_eq!(log.from(log.end() - 3).unwrap().len(), 3);
        assert!(log.from(log.end()).unwrap().is_empty());
        log.clear();
        assert_eq!((log.end(), log.bytes), (FRAMES as u64 + 10, 0));
        assert!(log.from(log.end() - 1).is_none(), "they are gone");
    }
}
