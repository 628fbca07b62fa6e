//! Expiry, depth, full queues and large batches.

use super::*;
use crate::broker::{BrokerError, DeadLettered};
use clawpool_core::task::{DeadReason, Priority, Timestamp};

fn expired(priority: Priority) -> Message {
    message_with(priority, |task| task.expires_at = Timestamp::now())
}

/// Asks until at least one message comes.
async fn take_dead_lettered(broker: &dyn Broker, worker: ProcessId) -> Vec<DeadLettered> {
    loop {
        let taken = broker.take_dead_lettered(worker, 10).await.unwrap();
        if !taken.is_empty() {
            return taken;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn expired_messages_are_handed_out_until_acknowledged(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let worker = ProcessId::new();
    for priority in Priority::ALL {
        let late = expired(priority);
        let fresh = message(priority);
        publish(&*broker, &[late.clone(), fresh.clone()]).await;
        let taken = take_dead_lettered(&*broker, worker).await;
        assert_eq!(taken.len(), 1, "{priority}: only the expired one");
        assert!(taken[0].delivery.message == late, "{priority}: as it was sent");
        assert_eq!(taken[0].reason, DeadReason::Expired);
        let later = expired(priority);
        // It would be at the head once the fresh one is gone.
        let mut consumer = consume(&*broker, priority.queue()).await;
        let delivery = collect(consumer.as_mut(), 1).await;
        assert_eq!(ids(&delivery), [fresh.id]);
        broker.ack(receipts(&delivery)).await.unwrap();
        drop(consumer);
        publish(&*broker, std::slice::from_ref(&later)).await;
        let again = take_dead_lettered(&*broker, worker).await;
        assert_eq!(again.len(), 1, "{priority}: what is held is not taken twice");
        assert_eq!(again[0].delivery.message.id, later.id);
        broker.ack(vec![taken[0].delivery.receipt.clone(), again[0].delivery.receipt.clone()]).await.unwrap();
    }
}

pub async fn a_dead_collectors_messages_are_handed_out_again(fixture: &dyn Fixture) {
    let doomed = fixture.broker().await;
    let survivor = fixture.broker().await;
    let worker = ProcessId::new();
    let late = expired(Priority::P2);
    publish(&*doomed, std::slice::from_ref(&late)).await;
    take_dead_lettered(&*doomed, worker).await;
    drop(doomed);
    survivor.reclaim(worker).await.unwrap();
    let taken = take_dead_lettered(&*survivor, ProcessId::new()).await;
    assert_eq!(taken[0].delivery.message.id, late.id);
}

pub async fn depth_counts_what_waits(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let observer = fixture.broker().await;
    for queue in queues() {
        assert_eq!(observer.depth(queue).await.unwrap().ready, 0);
        let messages: Vec<_> = (0..5).map(|_| message_on(queue)).collect();
        publish(&*broker, &messages).await;
        eventually(async || observer.depth(queue).await.unwrap().ready == 5).await;
        // A broker that cannot look at the head without taking it answers `None`.
        let oldest = observer.depth(queue).await.unwrap().oldest;
        assert!(oldest.is_none_or(|oldest| oldest == messages[0].enqueued_at), "{queue}: {oldest:?}");
        let mut consumer = consume(&*broker, queue).await;
        let held = collect(consumer.as_mut(), 2).await;
        consumer.pause().await.unwrap();
        eventually(async || observer.depth(queue).await.unwrap().ready == 3).await;
        broker.release(receipts(&held[..1])).await.unwrap();
        broker.ack(receipts(&held[1..])).await.unwrap();
        eventually(async || observer.depth(queue).await.unwrap().ready == 4).await;
    }
}

pub async fn a_full_queue_refuses_and_loses_nothing(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let mut accepted = Vec::new();
    // A broker may overshoot its limit a little; it must not overshoot for ever.
    for _ in 0..100 * SMALL_LIMIT {
        let plain = message(Priority::P4);
        let other = message(Priority::P5);
        let answers = broker.publish(vec![plain.clone(), other]).await;
        assert!(answers[1].is_ok(), "another queue is not full: {:?}", answers[1]);
        match &answers[0] {
            Ok(()) => accepted.push(plain.id),
            Err(BrokerError::Full { queue, limit: SMALL_LIMIT }) if *queue == Queue::P4 => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(accepted.len() >= SMALL_LIMIT as usize, "{} of {SMALL_LIMIT} taken", accepted.len());
    let mut consumer = consume(&*broker, Queue::P4).await;
    let deliveries = collect(consumer.as_mut(), accepted.len()).await;
    assert_eq!(ids(&deliveries), accepted, "what was taken is there, what was refused is not");
    broker.ack(receipts(&deliveries)).await.unwrap();
    drop(consumer);
    eventually(async || broker.publish(vec![message(Priority::P4)]).await[0].is_ok()).await;
}

pub async fn takes_a_thousand_at_once(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let messages: Vec<_> = (0..1_000).map(|index| message(Priority::ALL[index % 7])).collect();
    let answers = broker.publish(messages.clone()).await;
    assert_eq!(answers.len(), messages.len());
    assert!(answers.iter().all(Result::is_ok));
    for queue in queues() {
        let mut expected: Vec<_> = messages.iter().filter(|message| message.queue == queue).collect();
        expected.sort_by_key(|message| message.priority());
        let mut consumer = consume(&*broker, queue).await;
        let deliveries = collect(consumer.as_mut(), expected.len()).await;
        let expected: Vec<_> = expected.into_iter().map(|message| message.id).collect();
        assert!(ids(&deliveries) == expected, "{queue} lost, added or reordered messages");
        broker.ack(receipts(&deliveries)).await.unwrap();
    }
}

pub async fn an_empty_batch_is_nothing(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    assert!(broker.publish(Vec::new()).await.is_empty());
    broker.ack(Vec::new()).await.unwrap();
    broker.release(Vec::new()).await.unwrap();
    assert!(broker.take_dead_lettered(ProcessId::new(), 10).await.unwrap().is_empty());
}
