use clawpool_backends::store::Record;
use clawpool_core::task::{State, TaskId};
use clawpool_engine::client::figures::FiguresView;
use futures::{StreamExt, stream};

use super::{Api, Event, Ledger};

/// What became of a set of tasks, after the pool's word was held against the ledger's.
#[derive(Clone, Debug, Default)]
pub struct Balance {
    pub completed: usize,
    pub dead: usize,
    pub cancelled: usize,
    /// Starts that a dead worker or a leaving one made necessary.
    pub repeated: usize,
    pub crashes: u32,
    pub records: Vec<Record>,
}

/// Follows every acknowledged task to its end.
///
/// INV-1: it ends, and the ledger agrees on how. INV-3: it was not started more often than its attempts, its
/// crashes and the `releases` that the test itself caused.
pub async fn balance(api: &Api, ledger: &Ledger, ids: &[TaskId], releases: usize) -> Balance {
    let records: Vec<Record> = stream::iter(ids).map(|id| api.finished(*id)).buffered(16).collect().await;
    let mut balance = Balance::default();
    for record in &records {
        balance.take(record, ledger, releases);
    }
    balance.records = records;
    assert_eq!(balance.completed + balance.dead + balance.cancelled, ids.len(), "INV-1");
    balance
}

/// What the pool has counted of these tasks, of which each has ended: exactly what became of them, whatever
/// was killed meanwhile.
pub async fn assert_counted(api: &Api, balance: &Balance) {
    let figures: FiguresView = api.get("v1/figures?step=1m").await;
    let sum = |end: &str| -> usize {
        let counts = figures.items.iter().filter_map(|window| window.attempts.get(end));
        usize::try_from(counts.sum::<u64>()).unwrap()
    };
    let failed: usize = balance.records.iter().map(|record| record.attempt as usize).sum();
    assert_eq!((sum("completed"), sum("retried") + sum("dead")), (balance.completed, failed), "INV-2");
}

impl Balance {
    fn take(&mut self, record: &Record, ledger: &Ledger, releases: usize) {
        let id = record.id;
        let starts = ledger.times(id, Event::Start);
        let done = ledger.times(id, Event::Done);
        let crashes = record.crashes as usize;
        let count = match record.state {
            State::Completed => {
                assert!(done >= 1, "INV-1: {id} is completed, but no worker did it: {record:?}");
                &mut self.completed
            }
            State::Dead => &mut self.dead,
            State::Cancelled => &mut self.cancelled,
            state => panic!("INV-1: {id} is {state}"),
        };
        *count += 1;
        assert!(done <= 1 + crashes, "INV-5: {id} was done {done} times with {crashes} crashes");
        let attempts = record.attempt as usize + usize::from(record.state != State::Dead);
        assert!(
            starts <= attempts + crashes + releases,
            "INV-3: {id} was started {starts} times for {attempts} attempts and {crashes} crashes: \
            {record:?}\n{:?}",
            ledger.entries().iter().filter(|entry| entry.id == id).collect::<Vec<_>>()
        );
        self.repeated += starts.saturating_sub(attempts);
        self.crashes += record.crashes;
    }
}
