//! What every broker must do, as named cases. A backend runs them all with one line in its tests:
//! `crate::broker::conformance::suite!(open);`, where `open` is an `async fn(Config) -> impl Fixture`.
//!
//! The configuration given to `open` sets limits; the backend adds its own address and a prefix or folder of
//! its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod delivery;
pub mod limits;
pub mod recovery;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{Broker, Consumer, Delivery, Found, Missing, Receipt};
pub use crate::{
    backend::waiting::{eventually, guarded},
    store::conformance::sample::{message, message_on, message_with, own_queue, queues},
};
use clawpool_core::{
    config::{Config, QueueSettings},
    task::{Message, Priority, ProcessId, Queue, TaskId},
};

/// One fresh, isolated backend. It owns what must live as long as it does (a temporary folder).
#[async_trait]
pub trait Fixture: Send + Sync {
    /// A handle of its own on the backend, as another process would have.
    async fn broker(&self) -> Arc<dyn Broker>;

    /// Puts messages that no version of this crate writes at the end of a queue, on which something was
    /// published before.
    async fn put_garbage(&self, queue: Queue);
}

/// How many messages may wait where a case fills a queue.
pub const SMALL_LIMIT: u64 = 5;

/// Settings of a queue that takes only [`SMALL_LIMIT`].
pub fn small(queue: Queue) -> QueueSettings {
    QueueSettings { name: queue.name().into(), limit: Some(SMALL_LIMIT), ..QueueSettings::default() }
}

/// The configuration for one case.
pub fn config(case: &str) -> Config {
    let mut config = Config::default();
    if case.starts_with("a_full_queue") {
        config.queues.push(small(Queue::P4));
    }
    config
}

#[cfg(test)]
macro_rules! cases {
    ($open:path; $($module:ident::$case:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let fixture = $open($crate::broker::conformance::config(stringify!($case))).await;
            let case = $crate::broker::conformance::$module::$case(&fixture);
            $crate::broker::conformance::guarded(case).await;
        }
    )+};
}

#[cfg(test)]
macro_rules! suite {
    ($open:path) => {
        $crate::broker::conformance::cases! { $open;
            delivery::keeps_order_on_every_queue,
            delivery::never_gives_more_than_wanted,
            delivery::gives_a_message_to_one_consumer,
            delivery::wakes_a_waiting_consumer,
            delivery::wakes_consumers_of_the_right_queue,
            delivery::carries_every_field_and_a_large_body,
            delivery::an_acknowledged_message_never_returns,
            delivery::takes_the_same_message_twice,
            delivery::inv_1_concurrent_consumers_lose_nothing,
            recovery::release_returns_to_the_front,
            recovery::reclaim_returns_all_of_a_dead_worker,
            recovery::reclaim_of_an_unknown_worker_changes_nothing,
            recovery::a_dropped_next_loses_nothing,
            recovery::a_dropped_consumer_gives_back_what_it_did_not_return,
            recovery::pause_gives_the_surplus_to_others,
            recovery::acks_of_unknown_receipts_are_harmless,
            recovery::a_late_ack_does_not_take_the_message_from_its_next_owner,
            recovery::messages_outlive_the_handle_that_published_them,
            recovery::a_living_workers_unknown_deliveries_return,
            recovery::the_deliveries_of_a_lost_answer_return,
            recovery::a_workers_known_deliveries_stay_with_it,
            recovery::inv_5_reconciling_under_load_takes_nothing_that_is_held,
            recovery::restore_leaves_alone_what_waits_and_what_is_held,
            recovery::a_message_can_be_looked_at_while_it_waits_or_is_held,
            recovery::an_unreadable_message_disturbs_no_other,
            recovery::a_probe_leaves_nothing_behind,
            limits::expired_messages_are_handed_out_until_acknowledged,
            limits::a_dead_collectors_messages_are_handed_out_again,
            limits::depth_counts_what_waits,
            limits::a_full_queue_refuses_and_loses_nothing,
            limits::takes_a_thousand_at_once,
            limits::an_empty_batch_is_nothing,
        }
    };
}

#[cfg(test)]
pub(crate) use {cases, suite};

/// Publishes and expects every message to be taken.
async fn publish(broker: &dyn Broker, messages: &[Message]) {
    for answer in broker.publish(messages.to_vec()).await {
        answer.expect("a message is taken");
    }
}

async fn consume(broker: &dyn Broker, queue: Queue) -> Box<dyn Consumer> {
    broker.consume(ProcessId::new(), queue).await.expect("a consumer starts")
}

/// Calls `next` until it has `count` deliveries.
async fn collect(consumer: &mut dyn Consumer, count: usize) -> Vec<Delivery> {
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        match consumer.next(count - all.len()).await {
            Ok(batch) => all.extend(batch),
            // A passing error: the contract says to call again.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    all
}

fn ids(deliveries: &[Delivery]) -> Vec<TaskId> {
    deliveries.iter().map(|delivery| delivery.message.id).collect()
}

fn sent(messages: &[Message]) -> Vec<TaskId> {
    messages.iter().map(|message| message.id).collect()
}

fn receipts(deliveries: &[Delivery]) -> Vec<Receipt> {
    deliveries.iter().map(|delivery| delivery.receipt.clone()).collect()
}

fn sorted(mut ids: Vec<TaskId>) -> Vec<TaskId> {
    ids.sort();
    ids
}

/// Proves that nothing is left on a queue without waiting for silence: the next message to come is one sent
/// just now.
async fn assert_drained(broker: &dyn Broker, queue: Queue) {
    let sentinel = message_on(queue);
    publish(broker, std::slice::from_ref(&sentinel)).await;
    let mut consumer = consume(broker, queue).await;
    let delivery = collect(consumer.as_mut(), 1).await;
    assert_eq!(ids(&delivery), [sentinel.id], "only what was just sent is on {queue}");
    broker.ack(receipts(&delivery)).await.expect("an ack");
}

/// A message as if a broker had delivered it; no broker knows its receipt.
pub fn delivery(priority: Priority) -> Delivery {
    let message = message(priority);
    let receipt = Receipt {
        queue: priority.queue(),
        worker: ProcessId::new(),
        id: message.id,
        generation: 0,
        channel: 0,
        tag: 0,
        alive: Default::default(),
    };
    Delivery { message, receipt }
}
