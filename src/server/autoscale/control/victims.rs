use crate::autoscale::sense::{Crew, Hand};

/// Who leaves when a pool shrinks: idle workers before busy ones, then the least loaded, of equals the youngest.
///
/// A worker that has not come up yet has nothing to finish. One that is silent may be in the middle of anything, so it
/// counts as full.
pub(super) fn victims(crew: &Crew, count: u32) -> Vec<&Hand> {
    let mut hands: Vec<&Hand> = crew.hands.iter().collect();
    hands.sort_by_key(|hand| (load(hand), std::cmp::Reverse(hand.started_at)));
    hands.truncate(count as usize);
    hands
}

const fn load(hand: &Hand) -> u32 {
    match (hand.worker, hand.alive) {
        (None, _) => 0,
        (Some(_), true) => hand.running,
        (Some(_), false) => u32::MAX,
    }
}
