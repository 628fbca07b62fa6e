use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use futures::FutureExt;
use lapin::{
    Channel,
    options::{BasicAckOptions, BasicNackOptions},
};

use super::Receipt;

/// One life of a consuming channel, and the delivery tags on it that are not settled.
pub(super) struct Line {
    /// Unlike that of every other line of this process: a receipt of a lost channel finds nothing.
    pub(super) number: u64,
    pub(super) channel: Channel,
    unsettled: Mutex<BTreeSet<u64>>,
    /// Nothing will be consumed on it any more; it goes with its last delivery.
    retired: AtomicBool,
}

/// How a delivery ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settle {
    Ack,
    Requeue,
    /// The server gives it up, to the dead queue or the rejects.
    Reject,
}

impl Line {
    /// A delivery came in. Tags come in rising order.
    pub(super) fn note(&self, tag: u64) {
        self.unsettled().insert(tag);
    }

    pub(super) fn outstanding(&self) -> usize {
        self.unsettled().len()
    }

    /// Settles deliveries: all at the front with one frame, the others singly. Unknown tags are skipped. Whether the
    /// channel still lives.
    pub(super) fn settle(&self, tags: impl IntoIterator<Item = u64>, how: Settle) -> bool {
        // Held while the frames are queued: a single one overtaken by one for all before it would be an unknown tag,
        // and the server would close the channel.
        let mut unsettled = self.unsettled();
        let mut done: Vec<u64> = tags.into_iter().filter(|tag| unsettled.remove(tag)).collect();
        done.sort_unstable();
        let front = match unsettled.first() {
            Some(oldest) => done.partition_point(|tag| tag < oldest),
            None => done.len(),
        };
        let (front, rest) = done.split_at(front);
        let multiple = front.last().map(|tag| self.frame(*tag, true, how));
        let single = rest.iter().map(|tag| self.frame(*tag, false, how));
        // Counted, for every frame must be sent.
        multiple.into_iter().chain(single).filter(|sent| !sent).count() == 0
    }

    /// Queues one frame. lapin does so at the first poll, and nobody waits for it to be written: should the connection
    /// fail, the server delivers the message again.
    fn frame(&self, tag: u64, multiple: bool, how: Settle) -> bool {
        let sent = match how {
            Settle::Ack => self.channel.basic_ack(tag, BasicAckOptions { multiple }).now_or_never(),
            Settle::Requeue | Settle::Reject => {
                let options = BasicNackOptions { multiple, requeue: how == Settle::Requeue };
                self.channel.basic_nack(tag, options).now_or_never()
            }
        };
        !matches!(sent, Some(Err(_)))
    }

    fn unsettled(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every line that may still be settled on.
#[derive(Default)]
pub(super) struct Lines {
    open: Mutex<HashMap<u64, Arc<Line>>>,
}

impl Lines {
    pub(super) fn open(&self, channel: Channel) -> Arc<Line> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let line = Arc::new(Line { number, channel, unsettled: Mutex::default(), retired: AtomicBool::new(false) });
        let mut open = self.lock();
        open.retain(|_, line| line.channel.status().connected());
        open.insert(number, line.clone());
        line
    }

    /// Whether what came over this line can still be settled.
    pub(super) fn holds(&self, number: u64) -> bool {
        self.lock().get(&number).is_some_and(|line| line.channel.status().connected())
    }

    /// The line closes as soon as nothing on it is unsettled.
    pub(super) fn retire(&self, line: &Line) {
        line.retired.store(true, Ordering::Relaxed);
        self.drop_spent(line, true);
    }

    pub(super) fn settle(&self, receipts: &[Receipt], how: Settle) {
        let mut tags: HashMap<u64, Vec<u64>> = HashMap::new();
        for receipt in receipts {
            tags.entry(receipt.channel).or_default().push(receipt.tag);
        }
        for (number, tags) in tags {
            let line = self.lock().get(&number).cloned();
            if let Some(line) = line {
                let alive = line.settle(tags, how);
                self.drop_spent(&line, alive);
            }
        }
    }

    fn drop_spent(&self, line: &Line, alive: bool) {
        if !alive || (line.retired.load(Ordering::Relaxed) && line.outstanding() == 0) {
            self.lock().remove(&line.number);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Line>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
