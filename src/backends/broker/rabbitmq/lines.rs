use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, future::join_all};
use lapin::{
    Channel,
    options::{BasicAckOptions, BasicNackOptions},
};

use super::{
    Receipt,
    connect::{fault, patient},
    tags::{Frame, Tags},
};
use clawpool_core::task::{Message, Queue, WorkerId};

/// One life of a consuming channel, and the delivery tags on it that are not settled.
pub(super) struct Line {
    /// Unlike that of every other line of this process: a receipt of a lost channel finds nothing.
    pub(super) number: u64,
    pub(super) channel: Channel,
    tags: Mutex<Tags>,
    /// Nothing will be consumed on it any more; it goes with its last delivery.
    retired: AtomicBool,
}

/// AMQP's code for an end that nobody is to blame for.
const REPLY_SUCCESS: u16 = 200;
/// How long an acknowledgement may wait for older ones. The outcome is safe by then, so nothing depends on it.
const GATHER: Duration = Duration::from_millis(10);

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
        self.tags().note(tag);
    }

    /// Names a delivery that was noted.
    pub(super) fn receipt(&self, worker: WorkerId, queue: Queue, message: &Message, tag: u64) -> Receipt {
        let known = Arc::new(());
        self.tags().remember(tag, &known);
        Receipt { queue, worker, id: message.id, generation: message.generation, channel: self.number, tag, known }
    }

    pub(super) fn outstanding(&self) -> usize {
        self.tags().outstanding()
    }

    /// Ends the channel, and with it a consumer that nobody listens to: one whose start was answered too late, or whose stop
    /// never, keeps its channel open in the client, and the server would give it messages up to its prefetch for as long as
    /// the connection lives.
    pub(super) fn close(&self) {
        let channel = self.channel.clone();
        // In the background: a server that is slow to start a consumer is slow to end it. A connection that fails ends it too.
        let close = async move {
            let closed = channel.close(REPLY_SUCCESS, "its consumer is given up".into()).await;
            closed.map_err(|error| fault(&error))
        };
        tokio::spawn(patient("the end of a channel", close));
    }

    /// Settles deliveries at once. Whether the channel still lives.
    pub(super) fn settle(&self, settled: impl IntoIterator<Item = u64>, how: Settle) -> bool {
        // Held while the frames are queued: a single one overtaken by one for all before it would be an unknown tag,
        // and the server would close the channel.
        let mut tags = self.tags();
        let frames = tags.settle(settled, how);
        self.send(frames)
    }

    /// Acknowledges; what has older unsettled deliveries before it waits for those a moment.
    async fn gather(&self, settled: Vec<u64>) -> bool {
        let (alive, wait) = {
            let mut tags = self.tags();
            let (frame, wait) = tags.gather(settled);
            (self.send(frame), wait)
        };
        if !wait {
            return alive;
        }
        tokio::time::sleep(GATHER).await;
        let mut tags = self.tags();
        let frames = tags.flush();
        self.send(frames)
    }

    /// Counted, for every frame must be sent.
    fn send(&self, frames: impl IntoIterator<Item = Frame>) -> bool {
        frames.into_iter().filter(|frame| !self.frame(*frame)).count() == 0
    }

    /// Queues one frame. lapin does so at the first poll, and nobody waits for it to be written: should the connection
    /// fail, the server delivers the message again.
    fn frame(&self, Frame { tag, multiple, how }: Frame) -> bool {
        let sent = match how {
            Settle::Ack => self.channel.basic_ack(tag, BasicAckOptions { multiple }).now_or_never(),
            Settle::Requeue | Settle::Reject => {
                let options = BasicNackOptions { multiple, requeue: how == Settle::Requeue };
                self.channel.basic_nack(tag, options).now_or_never()
            }
        };
        !matches!(sent, Some(Err(_)))
    }

    fn tags(&self) -> MutexGuard<'_, Tags> {
        self.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every line that may still be settled on.
#[derive(Default)]
pub struct Lines {
    open: Mutex<HashMap<u64, Arc<Line>>>,
}

impl Lines {
    pub(super) fn open(&self, channel: Channel) -> Arc<Line> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let line = Arc::new(Line { number, channel, tags: Mutex::default(), retired: AtomicBool::new(false) });
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

    /// Line and tag of all unsettled deliveries that nobody has a receipt of.
    pub(super) fn forgotten(&self) -> Vec<(u64, u64)> {
        let open: Vec<Arc<Line>> = self.lock().values().cloned().collect();
        let each = |line: &Arc<Line>| line.tags().forgotten().map(|tag| (line.number, tag)).collect::<Vec<_>>();
        open.iter().flat_map(each).collect()
    }

    /// Gives deliveries back that are named by line and tag.
    pub(super) fn give_back(&self, deliveries: &[(u64, u64)]) {
        for (number, tag) in deliveries {
            let line = self.lock().get(number).cloned();
            if let Some(line) = line {
                let alive = line.settle([*tag], Settle::Requeue);
                self.drop_spent(&line, alive);
            }
        }
    }

    /// Gives deliveries back, at once.
    pub(super) fn settle(&self, receipts: &[Receipt], how: Settle) {
        for (line, tags) in self.lines_of(receipts) {
            let alive = line.settle(tags, how);
            self.drop_spent(&line, alive);
        }
    }

    /// Acknowledges deliveries, with as few frames as may be. Returns when they are on their way.
    pub(super) async fn acknowledge(&self, receipts: &[Receipt]) {
        let lines = self.lines_of(receipts).into_iter().map(async |(line, tags)| {
            let alive = line.gather(tags).await;
            self.drop_spent(&line, alive);
        });
        join_all(lines).await;
    }

    fn lines_of(&self, receipts: &[Receipt]) -> Vec<(Arc<Line>, Vec<u64>)> {
        let mut tags: HashMap<u64, Vec<u64>> = HashMap::new();
        for receipt in receipts {
            tags.entry(receipt.channel).or_default().push(receipt.tag);
        }
        let open = self.lock();
        tags.into_iter().filter_map(|(number, tags)| Some((open.get(&number)?.clone(), tags))).collect()
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
