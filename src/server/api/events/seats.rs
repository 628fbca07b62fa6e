use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// How many streams are open.
#[derive(Default)]
pub(super) struct Seats(AtomicU64);

impl Seats {
    pub(super) fn taken(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// None where there are `most`.
    pub(super) fn take(self: &Arc<Self>, most: u64) -> Option<Seat> {
        let taken = self.0.try_update(Relaxed, Relaxed, |taken| (taken < most).then_some(taken + 1));
        taken.ok().map(|_| Seat(Arc::clone(self)))
    }
}

/// Of one stream, until it is dropped.
pub(super) struct Seat(Arc<Seats>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_free_again_when_its_stream_is_gone() {
        let seats = Arc::new(Seats::default());
        let _one = seats.take(2).unwrap();
        let other = seats.take(2).unwrap();
        assert!(seats.take(2).is_none() && seats.taken() == 2);
        drop(other);
        assert!(seats.take(2).is_some());
        assert!(seats.take(1).is_none(), "lowered meanwhile");
    }
}
