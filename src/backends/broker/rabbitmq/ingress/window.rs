//! How many letters the server may leave with the entrance at once, and how long each may be: never more bytes in all than
//! there is room for. Many small ones at first; few when a long one comes; many again while they are small.

use std::sync::atomic::Ordering;

use crate::broker::rabbitmq::scrub::Allowance;

/// Bytes of letters held at once, those that wait for a full queue among them. A single letter may be longer.
const ROOM: u64 = 32 << 20;
/// The longest letter: as long as the longest request over HTTP.
pub(super) const LARGEST: u64 = 64 << 20;
const MOST: u16 = 128;

pub(super) struct Window {
    pub(super) prefetch: u16,
    pub(super) allowance: Allowance,
    /// The longest letter that came without its body.
    lacking: u64,
    /// Letters in a row that would have come through a window four times as wide.
    small: u32,
}

impl Default for Window {
    fn default() -> Self {
        let allowance = Allowance::new((ROOM / u64::from(MOST)).into());
        Self { prefetch: MOST, allowance, lacking: 0, small: 0 }
    }
}

impl Window {
    /// A letter of `size` came without its body.
    pub(super) fn lacks(&mut self, size: u64) {
        self.lacking = self.lacking.max(size);
    }

    pub(super) fn took(&mut self, size: u64) {
        let wider = u64::from(self.prefetch.saturating_mul(4).min(MOST));
        self.small = if size <= ROOM / wider { self.small.saturating_add(1) } else { 0 };
    }

    /// Whether another consumer is due.
    pub(super) fn changes(&self) -> bool {
        self.lacking > 0 || self.prefetch < MOST && self.small > 4 * u32::from(self.prefetch)
    }

    /// No consumer is there now, and `held` bytes of letters are open.
    pub(super) fn change(&mut self, held: u64) {
        let free = ROOM.saturating_sub(held);
        self.prefetch = match std::mem::take(&mut self.lacking) {
            0 => self.prefetch.saturating_mul(4).min(MOST),
            size => u16::try_from((free / size).clamp(1, MOST.into())).unwrap_or(MOST),
        };
        self.small = 0;
        let each = if self.prefetch == 1 { LARGEST } else { free / u64::from(self.prefetch) };
        self.allowance.store(each, Ordering::Relaxed);
    }

    /// One of a single long letter may be as long as all room, so it needs all.
    pub(super) fn has_room(&self, held: u64) -> bool {
        self.prefetch > 1 || held == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(window: &Window) -> u64 {
        u64::from(window.prefetch) * window.allowance.load(Ordering::Relaxed)
    }

    #[test]
    fn a_long_letter_narrows_it_and_small_ones_widen_it_again() {
        let mut window = Window::default();
        assert_eq!((window.prefetch, bound(&window), window.changes()), (MOST, ROOM, false));
        window.lacks(1 << 20);
        window.lacks(5 << 20);
        assert!(window.changes());
        window.change(0);
        assert_eq!((window.prefetch, bound(&window) <= ROOM, window.changes()), (6, true, false));
        window.lacks(60 << 20);
        window.change(0);
        assert_eq!((window.prefetch, bound(&window)), (1, LARGEST));
        assert!(window.has_room(0) && !window.has_room(1));
        let mut letters = 0;
        while window.prefetch < MOST {
            window.took(1000);
            letters += 1;
            if window.changes() {
                window.change(0);
                assert!(bound(&window) <= ROOM);
            }
        }
        assert!(letters < 1000, "{letters}");
        window.took(1 << 20);
        assert!(!window.changes());
    }

    #[test]
    fn what_is_open_leaves_less_room() {
        let mut window = Window::default();
        window.lacks(1 << 20);
        window.change(30 << 20);
        assert_eq!((window.prefetch, bound(&window)), (2, 2 << 20));
        window.lacks(4 << 20);
        window.change(40 << 20);
        assert_eq!(window.prefetch, 1);
        assert!(!window.has_room(40 << 20), "nothing comes until what is open is closed");
    }
}
