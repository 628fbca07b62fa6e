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
    connect::{broker_error, with_timeout},
    tags::{Frame, Tags},
};
use clawpool_core::task::{Message, ProcessId};

/// A channel that consumes, from its start to its end, and the delivery tags on it that are not settled.
pub(super) struct ConsumerChannel {
    /// Unlike that of every other channel of this process: a receipt of a lost channel matches no other one.
    pub(super) number: u64,
    pub(super) lapin: Channel,
    tags: Mutex<Tags>,
    /// Nothing will be consumed on it any more; it is closed with its last delivery.
    retired: AtomicBool,
}

/// AMQP's code for a channel that is closed without an error.
const REPLY_SUCCESS: u16 = 200;
/// How long an acknowledgement may wait for older ones. The outcome is stored by then, so nothing depends on
/// it.
const ACK_DELAY: Duration = Duration::from_millis(10);

/// How a delivery ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settle {
    Ack,
    Requeue,
    /// The server dead-letters it: to the dead queue, or to the rejects.
    Reject,
}

impl ConsumerChannel {
    /// A delivery came in. Tags come in rising order.
    pub(super) fn delivered(&self, tag: u64) {
        self.tags().delivered(tag);
    }

    /// Makes the receipt of a delivery that came in.
    pub(super) fn receipt(&self, worker: ProcessId, message: &Message, tag: u64) -> Receipt {
        let alive = Arc::new(());
        self.tags().receipt_made(tag, &alive);
        Receipt {
            queue: message.queue,
            worker,
            id: message.id,
            generation: message.generation,
            channel: self.number,
            tag,
            alive,
        }
    }

    pub(super) fn unacknowledged(&self) -> usize {
        self.tags().unacknowledged()
    }

    /// Closes the channel, and with it a consumer without a reader: one whose start was answered too late, or
    /// whose stop was not answered. lapin keeps its channel open, and the server would deliver messages up to
    /// its prefetch for as long as the connection lives.
    pub(super) fn close(&self) {
        let channel = self.lapin.clone();
        // In the background: a server that is slow to start a consumer is slow to close it. A failed
        // connection ends it too.
        let close = async move {
            let closed = channel.close(REPLY_SUCCESS, "its consumer is abandoned".into()).await;
            closed.map_err(|error| broker_error(&error))
        };
        tokio::spawn(with_timeout("the end of a channel", close));
    }

    /// Settles deliveries at once. Whether the channel still lives.
    pub(super) fn settle(&self, settled: impl IntoIterator<Item = u64>, how: Settle) -> bool {
        // Locked while the frames are queued: were a frame of one tag overtaken by a frame of all tags up to
        // a later one, its tag would be unknown, and the server would close the channel.
        let mut tags = self.tags();
        let frames = tags.settle(settled, how);
        self.send(frames)
    }

    /// Acknowledges. A delivery with older unsettled ones before it waits for those for `ACK_DELAY`.
    async fn acknowledge(&self, settled: Vec<u64>) -> bool {
        let (alive, wait) = {
            let mut tags = self.tags();
            let (frame, wait) = tags.acknowledge(settled);
            (self.send(frame), wait)
        };
        if !wait {
            return alive;
        }
        tokio::time::sleep(ACK_DELAY).await;
        let mut tags = self.tags();
        let frames = tags.flush();
        self.send(frames)
    }

    /// Whether all could be queued. Counts, so that no frame is skipped after a failed one.
    fn send(&self, frames: impl IntoIterator<Item = Frame>) -> bool {
        frames.into_iter().filter(|frame| !self.frame(*frame)).count() == 0
    }

    /// Queues one frame. lapin does so at the first poll. The writing is not awaited: should the connection
    /// fail, the server delivers the message again.
    fn frame(&self, Frame { tag, multiple, how }: Frame) -> bool {
        let sent = match how {
            Settle::Ack => self.lapin.basic_ack(tag, BasicAckOptions { multiple }).now_or_never(),
            Settle::Requeue | Settle::Reject => {
                let options = BasicNackOptions { multiple, requeue: how == Settle::Requeue };
                self.lapin.basic_nack(tag, options).now_or_never()
            }
        };
        !matches!(sent, Some(Err(_)))
    }

    fn tags(&self) -> MutexGuard<'_, Tags> {
        self.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All channels with deliveries that can still be settled.
#[derive(Default)]
pub struct ConsumerChannels {
    open: Mutex<HashMap<u64, Arc<ConsumerChannel>>>,
}

impl ConsumerChannels {
    pub(super) fn open(&self, channel: Channel) -> Arc<ConsumerChannel> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let channel = Arc::new(ConsumerChannel {
            number,
            lapin: channel,
            tags: Mutex::default(),
            retired: AtomicBool::new(false),
        });
        let mut open = self.lock();
        open.retain(|_, channel| channel.lapin.status().connected());
        open.insert(number, channel.clone());
        channel
    }

    /// Whether deliveries of this channel can still be settled.
    pub(super) fn holds(&self, number: u64) -> bool {
        self.lock().get(&number).is_some_and(|channel| channel.lapin.status().connected())
    }

    /// The channel closes as soon as nothing on it is unsettled.
    pub(super) fn retire(&self, channel: &ConsumerChannel) {
        channel.retired.store(true, Ordering::Relaxed);
        self.drop_if_done(channel, true);
    }

    /// Channel and tag of all unsettled deliveries whose last receipt was dropped.
    pub(super) fn abandoned(&self) -> Vec<(u64, u64)> {
        let open: Vec<Arc<ConsumerChannel>> = self.lock().values().cloned().collect();
        let each = |channel: &Arc<ConsumerChannel>| {
            channel.tags().abandoned().map(|tag| (channel.number, tag)).collect::<Vec<_>>()
        };
        open.iter().flat_map(each).collect()
    }

    /// Gives deliveries back that are named by channel and tag.
    pub(super) fn give_back(&self, deliveries: &[(u64, u64)]) {
        for (number, tag) in deliveries {
            let channel = self.lock().get(number).cloned();
            if let Some(channel) = channel {
                let alive = channel.settle([*tag], Settle::Requeue);
                self.drop_if_done(&channel, alive);
            }
        }
    }

    /// Gives deliveries back, at once.
    pub(super) fn settle(&self, receipts: &[Receipt], how: Settle) {
        for (channel, tags) in self.channels_of(receipts) {
            let alive = channel.settle(tags, how);
            self.drop_if_done(&channel, alive);
        }
    }

    /// Acknowledges deliveries, with as few frames as possible. Returns when the frames are queued.
    pub(super) async fn acknowledge(&self, receipts: &[Receipt]) {
        let channels = self.channels_of(receipts).into_iter().map(async |(channel, tags)| {
            let alive = channel.acknowledge(tags).await;
            self.drop_if_done(&channel, alive);
        });
        join_all(channels).await;
    }

    fn channels_of(&self, receipts: &[Receipt]) -> Vec<(Arc<ConsumerChannel>, Vec<u64>)> {
        let mut tags: HashMap<u64, Vec<u64>> = HashMap::new();
        for receipt in receipts {
            tags.entry(receipt.channel).or_default().push(receipt.tag);
        }
        let open = self.lock();
        tags.into_iter().filter_map(|(number, tags)| Some((open.get(&number)?.clone(), tags))).collect()
    }

    fn drop_if_done(&self, channel: &ConsumerChannel, alive: bool) {
        if !alive || (channel.retired.load(Ordering::Relaxed) && channel.unacknowledged() == 0) {
            self.lock().remove(&channel.number);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<ConsumerChannel>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
