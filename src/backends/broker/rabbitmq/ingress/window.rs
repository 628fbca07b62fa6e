//! The prefetch of the ingress, and how long each body may be: never more bytes in all than there is room
//! for. Many small messages at first, few when a long one comes, many again while they are small.

use std::sync::atomic::Ordering;

use crate::broker::rabbitmq::frame_filter::BodyLimit;

/// Bytes of unacknowledged messages, those that wait for a full queue included. A single message may be
/// longer.
const MAX_BYTES: u64 = 32 << 20;
/// The longest message: as long as the longest request over HTTP.
pub(super) const MAX_BODY: u64 = 64 << 20;
const MAX_PREFETCH: u16 = 128;

pub(super) struct Window {
    pub(super) prefetch: u16,
    pub(super) body_limit: BodyLimit,
    /// The longest body that was withheld.
    largest_withheld: u64,
    /// Messages in a row that would have fitted with four times the prefetch.
    small: u32,
}

impl Default for Window {
    fn default() -> Self {
        let body_limit = BodyLimit::new((MAX_BYTES / u64::from(MAX_PREFETCH)).into());
        Self { prefetch: MAX_PREFETCH, body_limit, largest_withheld: 0, small: 0 }
    }
}

impl Window {
    /// A message came without its body, which has `size` bytes.
    pub(super) fn withheld(&mut self, size: u64) {
        self.largest_withheld = self.largest_withheld.max(size);
    }

    pub(super) fn received(&mut self, size: u64) {
        let wider = u64::from(self.prefetch.saturating_mul(4).min(MAX_PREFETCH));
        self.small = if size <= MAX_BYTES / wider { self.small.saturating_add(1) } else { 0 };
    }

    /// Whether the prefetch should change, which needs another consumer.
    pub(super) fn changes(&self) -> bool {
        self.largest_withheld > 0 || self.prefetch < MAX_PREFETCH && self.small > 4 * u32::from(self.prefetch)
    }

    /// Chooses the next prefetch. No consumer is there now, and `held` bytes of messages are unacknowledged.
    pub(super) fn change(&mut self, held: u64) {
        let free = MAX_BYTES.saturating_sub(held);
        self.prefetch = match std::mem::take(&mut self.largest_withheld) {
            0 => self.prefetch.saturating_mul(4).min(MAX_PREFETCH),
            size => u16::try_from((free / size).clamp(1, MAX_PREFETCH.into())).unwrap_or(MAX_PREFETCH),
        };
        self.small = 0;
        let each = if self.prefetch == 1 { MAX_BODY } else { free / u64::from(self.prefetch) };
        self.body_limit.store(each, Ordering::Relaxed);
    }

    /// With a prefetch of one, the message may need all the room there is.
    pub(super) fn has_room(&self, held: u64) -> bool {
        self.prefetch > 1 || held == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(window: &Window) -> u64 {
        u64::from(window.prefetch) * window.body_limit.load(Ordering::Relaxed)
    }

    #[test]
    fn a_long_message_narrows_it_and_small_ones_widen_it_again() {
        let mut window = Window::default();
        assert_eq!((window.prefetch, bound(&window), window.changes()), (MAX_PREFETCH, MAX_BYTES, false));
        window.withheld(1 << 20);
        window.withheld(5 << 20);
        assert!(window.changes());
        window.change(0);
        assert_eq!((window.prefetch, bound(&window) <= MAX_BYTES, window.changes()), (6, true, false));
        window.withheld(60 << 20);
        window.change(0);
        assert_eq!((window.prefetch, bound(&window)), (1, MAX_BODY));
        assert!(window.has_room(0) && !window.has_room(1));
        let mut messages = 0;
        while window.prefetch < MAX_PREFETCH {
            window.received(1000);
            messages += 1;
            if window.changes() {
                window.change(0);
                assert!(bound(&window) <= MAX_BYTES);
            }
        }
        assert!(messages < 1000, "{messages}");
        window.received(1 << 20);
        assert!(!window.changes());
    }

    #[test]
    fn unacknowledged_messages_leave_less_room() {
        let mut window = Window::default();
        window.withheld(1 << 20);
        window.change(30 << 20);
        assert_eq!((window.prefetch, bound(&window)), (2, 2 << 20));
        window.withheld(4 << 20);
        window.change(40 << 20);
        assert_eq!(window.prefetch, 1);
        assert!(!window.has_room(40 << 20), "nothing comes until the others are acknowledged");
    }
}
