use std::collections::BTreeMap;

use super::place::Orders;
use crate::task::WorkerId;

/// The places of a pool, and who has each.
#[derive(Default)]
pub(super) struct Roster {
    seats: BTreeMap<u64, Seat>,
    last: u64,
}

struct Seat {
    /// The worker that runs here, or the one that will start next.
    worker: WorkerId,
    up: bool,
    orders: Orders,
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
        self.seats.insert(self.last, Seat { worker: WorkerId::new(), up: false, orders: orders.clone() });
        (self.last, orders)
    }

    /// The place's worker starts now; answers under which id.
    pub(super) fn up(&mut self, place: u64) -> WorkerId {
        match self.seats.get_mut(&place) {
            Some(seat) => {
                seat.up = true;
                seat.worker
            }
            None => WorkerId::new(),
        }
    }

    /// The place's worker is dead. The next one has an id of its own.
    pub(super) fn down(&mut self, place: u64) {
        if let Some(seat) = self.seats.get_mut(&place) {
            seat.up = false;
            seat.worker = WorkerId::new();
        }
    }

    pub(super) fn close(&mut self, place: u64) {
        self.seats.remove(&place);
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
