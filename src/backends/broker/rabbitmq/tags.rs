//! The delivery tags of one channel, and which frames settle them.
//!
//! Guarantees: each tag is settled once; a frame for all tags up to one never covers a tag that is not
//! settled; nothing waits that has no older unsettled tag before it. Never does: send anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Weak},
};

use super::channels::Settle;

/// A frame to the server: one tag, or all up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) tag: u64,
    pub(super) multiple: bool,
    pub(super) how: Settle,
}

#[derive(Debug, Default)]
pub(super) struct Tags {
    /// Each with the sign that a copy of its receipt lives; none before the receipt is made.
    unsettled: BTreeMap<u64, Option<Weak<()>>>,
    /// Acknowledged, and not sent to the server yet: an older one is unsettled, and one frame may do for
    /// both.
    waiting: BTreeSet<u64>,
}

impl Tags {
    /// A delivery came in. Tags come in rising order.
    pub(super) fn delivered(&mut self, tag: u64) {
        self.unsettled.insert(tag, None);
    }

    /// The delivery has a receipt now.
    pub(super) fn receipt_made(&mut self, tag: u64, alive: &Arc<()>) {
        if let Some(unsettled) = self.unsettled.get_mut(&tag) {
            *unsettled = Some(Arc::downgrade(alive));
        }
    }

    /// Those whose last receipt was dropped.
    pub(super) fn abandoned(&self) -> impl Iterator<Item = u64> {
        let lost = |alive: &Option<Weak<()>>| alive.as_ref().is_some_and(|alive| alive.strong_count() == 0);
        self.unsettled.iter().filter(move |(_, alive)| lost(alive)).map(|(tag, _)| *tag)
    }

    /// How many the server counts as unacknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        self.unsettled.len() + self.waiting.len()
    }

    /// Acknowledges. Those behind an unsettled one may wait. Unknown tags are skipped. Returns the frame to
    /// send now, and whether any tag waits.
    pub(super) fn acknowledge(&mut self, tags: impl IntoIterator<Item = u64>) -> (Option<Frame>, bool) {
        for tag in tags {
            if self.unsettled.remove(&tag).is_some() {
                self.waiting.insert(tag);
            }
        }
        let later = self.oldest().map(|oldest| self.waiting.split_off(&oldest)).unwrap_or_default();
        let front = std::mem::replace(&mut self.waiting, later);
        let frame = front.last().map(|tag| Frame { tag: *tag, multiple: true, how: Settle::Ack });
        (frame, !self.waiting.is_empty())
    }

    fn oldest(&self) -> Option<u64> {
        self.unsettled.first_key_value().map(|(tag, _)| *tag)
    }

    /// The acknowledgements that have waited long enough, one frame each.
    pub(super) fn flush(&mut self) -> impl Iterator<Item = Frame> + use<> {
        let single = |tag| Frame { tag, multiple: false, how: Settle::Ack };
        std::mem::take(&mut self.waiting).into_iter().map(single)
    }

    /// Settles at once: all at the front with one frame, the others with one each. Unknown tags are skipped.
    pub(super) fn settle(&mut self, tags: impl IntoIterator<Item = u64>, how: Settle) -> Vec<Frame> {
        // A tag that waits for its ack must not be covered by a frame that requeues or rejects.
        let mut frames: Vec<Frame> = self.flush().collect();
        let mut done: Vec<u64> =
            tags.into_iter().filter(|tag| self.unsettled.remove(tag).is_some()).collect();
        done.sort_unstable();
        let front = self.oldest().map_or(done.len(), |oldest| done.partition_point(|tag| *tag < oldest));
        let (front, rest) = done.split_at(front);
        frames.extend(front.last().map(|tag| Frame { tag: *tag, multiple: true, how }));
        frames.extend(rest.iter().map(|tag| Frame { tag: *tag, multiple: false, how }));
        frames
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn acknowledgements_wait_for_older_ones_and_go_together() {
        let mut tags = Tags::default();
        (1..=5).for_each(|tag| tags.delivered(tag));
        assert_eq!(tags.acknowledge([3, 2, 5]), (None, true));
        assert_eq!(tags.unacknowledged(), 5);
        assert_eq!(tags.acknowledge([1]), (Some(Frame { tag: 3, multiple: true, how: Settle::Ack }), true));
        let flushed: Vec<Frame> = tags.flush().collect();
        assert_eq!(flushed, [Frame { tag: 5, multiple: false, how: Settle::Ack }]);
        assert_eq!(
            (tags.unacknowledged(), tags.acknowledge([4, 9])),
            (1, (Some(Frame { tag: 4, multiple: true, how: Settle::Ack }), false))
        );
    }

    #[test]
    fn a_delivery_without_a_receipt_is_abandoned() {
        let mut tags = Tags::default();
        (1..=3).for_each(|tag| tags.delivered(tag));
        let kept = Arc::new(());
        let dropped = Arc::new(());
        tags.receipt_made(1, &kept);
        tags.receipt_made(2, &dropped);
        drop(dropped);
        assert_eq!(tags.abandoned().collect::<Vec<_>>(), [2], "3 has no receipt yet");
        tags.settle([1, 2, 3], Settle::Requeue);
        assert_eq!(tags.abandoned().count(), 0);
    }

    /// The server's side: what it has delivered and not seen settled.
    fn apply(server: &mut BTreeSet<u64>, settled: &BTreeSet<u64>, frame: Frame) {
        assert!(server.contains(&frame.tag), "{frame:?}: the server would close the channel");
        let covered: Vec<u64> = server
            .iter()
            .copied()
            .filter(|tag| *tag == frame.tag || frame.multiple && *tag < frame.tag)
            .collect();
        for tag in covered {
            assert!(settled.contains(&tag), "{frame:?} covers {tag}, which still runs");
            server.remove(&tag);
        }
    }

    proptest! {
        #[test]
        fn each_tag_is_settled_once_and_none_before_its_time(steps in prop::collection::vec((0u8..4,
        0usize..6), 1..200)) {
            let mut tags = Tags::default();
            let mut server = BTreeSet::new();
            let mut settled = BTreeSet::new();
            let mut next = 1;
            for (step, count) in steps {
                let open: Vec<u64> = server.difference(&settled).copied().collect();
                let chosen: Vec<u64> = open.iter().copied().filter(|tag| tag % 7 <= count as
                u64).take(count).collect();
                let frames: Vec<Frame> = match step {
                    0 => {
                        for _ in 0..count {
                            tags.delivered(next);
                            server.insert(next);
                            next += 1;
                        }
                        Vec::new()
                    }
                    1 => {
                        settled.extend(&chosen);
                        tags.acknowledge(chosen).0.into_iter().collect()
                    }
                    2 => tags.flush().collect(),
                    _ => {
                        settled.extend(&chosen);
                        tags.settle(chosen, Settle::Requeue)
                    }
                };
                frames.into_iter().for_each(|frame| apply(&mut server, &settled, frame));
                prop_assert_eq!(tags.unacknowledged(), server.len());
            }
            tags.flush().for_each(|frame| apply(&mut server, &settled, frame));
            prop_assert!(server.is_disjoint(&settled), "nothing settled is left with the server");
        }
    }
}
