use std::collections::BTreeMap;

use async_trait::async_trait;
use lapin::message::Delivery as Raw;

use super::{BrokerError, Consumer, channels::Settle, recovering_consumer::RecoveringConsumer, wire};
use crate::broker::Delivery;
use clawpool_core::task::{Priority, ProcessId, Queue};

/// One worker's consumer of one queue.
pub(super) struct RabbitConsumer {
    consumer: RecoveringConsumer,
    worker: ProcessId,
    queue: Queue,
    /// Fetched and not returned by `next` yet: most urgent first, then oldest (numbers of channels and tags
    /// rise).
    ahead: BTreeMap<(Priority, u64, u64), Delivery>,
    window: Window,
}

impl RabbitConsumer {
    pub(super) fn new(consumer: RecoveringConsumer, worker: ProcessId, queue: Queue, prefetch: u16) -> Self {
        Self { consumer, worker, queue, ahead: BTreeMap::new(), window: Window::new(prefetch) }
    }

    fn running(&self) -> usize {
        self.consumer.channel().map_or(0, |channel| channel.unacknowledged())
    }

    fn put(&mut self, raw: Raw) {
        let tag = raw.delivery_tag;
        let Some(channel) = self.consumer.channel().cloned() else { return };
        match wire::message(&raw.properties, raw.data) {
            Ok(message) => {
                let receipt = channel.receipt(self.worker, &message, tag);
                self.ahead.insert((message.priority(), channel.number, tag), Delivery { message, receipt });
            }
            Err(error) => {
                tracing::error!(queue = %self.queue, %error, "a message that is not a task goes to the dead \
                    queue");
                self.consumer.settle([tag], Settle::Reject);
            }
        }
    }

    fn give_back(&mut self) {
        let surplus = std::mem::take(&mut self.ahead).into_values();
        let receipts: Vec<_> = surplus.map(|delivery| delivery.receipt).collect();
        self.consumer.channels().settle(&receipts, Settle::Requeue);
    }

    fn take(&mut self, want: usize) -> Vec<Delivery> {
        // The server delivers again what came over a lost channel: drop the copy.
        self.ahead.retain(|_, delivery| self.consumer.channels().holds(delivery.receipt.channel));
        let taken: Vec<_> =
            std::iter::from_fn(|| self.ahead.pop_first()).take(want).map(|(_, taken)| taken).collect();
        self.window.taken(taken.len());
        taken
    }
}

#[async_trait]
impl Consumer for RabbitConsumer {
    async fn next(&mut self, want: usize) -> Result<Vec<Delivery>, BrokerError> {
        let want = want.max(1);
        loop {
            while let Some(raw) = self.consumer.ready() {
                self.put(raw);
            }
            let taken = self.take(want);
            if !taken.is_empty() {
                return Ok(taken);
            }
            if self.consumer.is_consuming() && self.window.is_tight(self.running(), self.consumer.prefetch())
            {
                // A prefetch only changes with a new consumer.
                self.consumer.stop().await;
                self.window.widen();
            }
            let prefetch = self.window.prefetch(self.running(), want);
            let raw = self.consumer.next(prefetch).await?;
            self.put(raw);
        }
    }

    async fn pause(&mut self) -> Result<(), BrokerError> {
        while let Some(raw) = self.consumer.ready() {
            self.put(raw);
        }
        self.window.paused(self.ahead.len());
        self.give_back();
        self.consumer.stop().await;
        Ok(())
    }
}

impl Drop for RabbitConsumer {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// How many messages to fetch ahead: at first as many as the worker asks for, more while it is fast. A worker
/// with long tasks pauses after every few of them, and would each time give back all the others.
struct Window {
    limit: usize,
    ahead: usize,
    /// Since the consumer was last paused.
    taken: usize,
}

impl Window {
    fn new(limit: u16) -> Self {
        Self { limit: usize::from(limit.max(1)), ahead: 1, taken: 0 }
    }

    /// Unsettled deliveries that the server may leave with a consumer started now, `running` ones among them.
    fn prefetch(&mut self, running: usize, want: usize) -> u16 {
        self.ahead = self.ahead.max(want).min(self.limit);
        u16::try_from(running + self.ahead).unwrap_or(u16::MAX)
    }

    fn taken(&mut self, count: usize) {
        self.taken += count;
    }

    fn paused(&mut self, surplus: usize) {
        if surplus > 0 {
            self.ahead = (2 * self.taken).clamp(1, self.limit);
        }
        self.taken = 0;
    }

    /// Whether `prefetch` is used up by running tasks, or too small for a worker this fast.
    fn is_tight(&self, running: usize, prefetch: u16) -> bool {
        running >= usize::from(prefetch) || self.is_slow()
    }

    const fn is_slow(&self) -> bool {
        self.ahead < self.limit && self.taken > 8 * self.ahead
    }

    fn widen(&mut self) {
        if self.is_slow() {
            self.ahead = (4 * self.ahead).min(self.limit);
            self.taken = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_the_worker() {
        let mut window = Window::new(256);
        assert_eq!(window.prefetch(0, 10), 10);
        window.taken(80);
        assert!(!window.is_tight(9, 10) && window.is_tight(10, 10));
        window.taken(1);
        assert!(window.is_tight(0, 10));
        window.widen();
        assert_eq!(window.prefetch(5, 10), 45);
        window.taken(4);
        window.paused(36);
        assert_eq!(window.prefetch(0, 1), 8);
    }

    #[test]
    fn a_worker_that_pauses_without_surplus_keeps_its_window() {
        let mut window = Window::new(64);
        window.prefetch(0, 32);
        window.paused(0);
        assert_eq!(window.prefetch(0, 1), 32);
        assert_eq!(window.prefetch(0, 1000), 64);
    }
}
