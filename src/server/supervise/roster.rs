use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::place::Orders;
use clawpool_core::task::WorkerId;

/// So many of those whose process has ended are remembered, the latest. The registry shows each for seconds, and a minute
/// at most.
const REMEMBERED: usize = 1000;

/// The places of a pool, and who has each.
#[derive(Default)]
pub(super) struct Roster {
    seats: BTreeMap<u64, Seat>,
    last: u64,
    /// Workers whose process has ended. Ids begin with their time, so that the first is the oldest.
    ended: BTreeSet<WorkerId>,
}

struct Seat {
    /// The worker that runs here, or the one that will start next.
    worker: WorkerId,
    up: bool,
    orders: Orders,
    /// Why nobody runs here.
    waits: Option<Waits>,
}

/// What a place without a worker waits for.
#[derive(Clone, Debug)]
pub(super) struct Waits {
    pub(super) why: String,
    /// Its next start; without it only a person brings one.
    pub(super) until: Option<Instant>,
}

/// One worker of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub worker: WorkerId,
    /// Its process runs; else it waits for its start.
    pub up: bool,
    /// It was told to leave, and nobody comes after it.
    pub draining: bool,
}

impl Roster {
    /// A new place, for a worker that is yet to start.
    pub(super) fn open(&mut self) -> (u64, Orders) {
        self.last += 1;
        let orders = Orders::default();
        self.seats.insert(self.last, Seat { worker: WorkerId::new(), up: false, orders: orders.clone(), waits: None });
        (self.last, orders)
    }

    /// The place's worker starts now; answers under which id.
    pub(super) fn up(&mut self, place: u64) -> WorkerId {
        match self.seats.get_mut(&place) {
            Some(seat) => {
                seat.up = true;
                seat.waits = None;
                seat.worker
            }
            None => WorkerId::new(),
        }
    }

    /// The place's worker is dead. The next one has an id of its own.
    pub(super) fn down(&mut self, place: u64) {
        if let Some(seat) = self.seats.get_mut(&place) {
            seat.up = false;
            let ended = std::mem::replace(&mut seat.worker, WorkerId::new());
            self.remember(ended);
        }
    }

    /// The place stays without a worker for now.
    pub(super) fn waits(&mut self, place: u64, waits: Waits) {
        if let Some(seat) = self.seats.get_mut(&place) {
            seat.waits = Some(waits);
        }
    }

    /// The places without a worker, apart from those whose first one is on its way.
    pub(super) fn waiting(&self) -> Vec<Waits> {
        self.seats.values().filter_map(|seat| seat.waits.clone()).collect()
    }

    pub(super) fn close(&mut self, place: u64) {
        if let Some(seat) = self.seats.remove(&place) {
            self.remember(seat.worker);
        }
    }

    fn remember(&mut self, ended: WorkerId) {
        self.ended.insert(ended);
        if self.ended.len() > REMEMBERED {
            self.ended.pop_first();
        }
    }

    /// Its process has ended, whatever the registry still shows.
    pub(super) fn has_ended(&self, worker: WorkerId) -> bool {
        self.ended.contains(&worker)
    }

    pub(super) fn orders_of(&self, workers: &[WorkerId]) -> Vec<Orders> {
        let seats = self.seats.values().filter(|seat| workers.contains(&seat.worker));
        seats.map(|seat| seat.orders.clone()).collect()
    }

    /// Of the places whose worker is down.
    pub(super) fn orders_of_waiting(&self) -> Vec<Orders> {
        self.seats.values().filter(|seat| !seat.up).map(|seat| seat.orders.clone()).collect()
    }

    pub(super) fn members(&self) -> Vec<Member> {
        let member =
            |seat: &Seat| Member { worker: seat.worker, up: seat.up, draining: seat.orders.leave.is_cancelled() };
        self.seats.values().map(member).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_has_its_id_before_it_comes_up_and_its_successor_another() {
        let mut roster = Roster::default();
        let place = roster.open().0;
        let first = roster.members()[0].worker;
        assert_eq!(roster.up(place), first);
        assert!(!roster.has_ended(first));
        roster.down(place);
        let second = roster.members()[0].worker;
        assert!(roster.has_ended(first) && !roster.has_ended(second));
        roster.close(place);
        assert!(roster.has_ended(second) && roster.members().is_empty());
    }

    #[test]
    fn only_the_latest_dead_are_remembered() {
        let mut roster = Roster::default();
        let place = roster.open().0;
        let mut ended = Vec::new();
        for _ in 0..=REMEMBERED {
            ended.push(roster.up(place));
            roster.down(place);
        }
        assert!(!roster.has_ended(ended[0]));
        assert!(ended[1..].iter().all(|worker| roster.has_ended(*worker)));
    }
}
