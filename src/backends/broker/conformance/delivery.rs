//! Order, wake-ups and exactly one consumer for each message.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio_util::sync::CancellationToken;

use super::*;
use clawpool_core::task::Priority;

pub async fn keeps_order_on_every_queue(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    for queue in queues() {
        let messages: Vec<_> = (0..20).map(|_| message_on(queue)).collect();
        publish(&*broker, &messages).await;
        let mut consumer = consume(&*broker, queue).await;
        let mut seen = Vec::new();
        while seen.len() < messages.len() {
            let batch = consumer.next(7).await.unwrap();
            assert!(batch.iter().all(|delivery| delivery.receipt.queue == queue));
            broker.ack(receipts(&batch)).await.unwrap();
            seen.extend(ids(&batch));
        }
        assert_eq!(seen, sent(&messages), "{queue} keeps its order");
    }
}

pub async fn never_gives_more_than_wanted(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let messages: Vec<_> = (0..10).map(|_| message(Priority::P0)).collect();
    publish(&*broker, &messages).await;
    let mut consumer = consume(&*broker, Queue::P0).await;
    let mut seen = 0;
    for want in [1, 2, 3, 4] {
        let batch = consumer.next(want).await.unwrap();
        assert!((1..=want).contains(&batch.len()), "{} of {want} wanted", batch.len());
        seen += batch.len();
    }
    assert_eq!(collect(consumer.as_mut(), 10 - seen).await.len(), 10 - seen);
}

pub async fn gives_a_message_to_one_consumer(fixture: &dyn Fixture) {
    let one = fixture.broker().await;
    let other = fixture.broker().await;
    let messages: Vec<_> = (0..10).map(|_| message(Priority::P1)).collect();
    publish(&*one, &messages).await;
    let mut first = consume(&*one, Queue::P1).await;
    let mut second = consume(&*other, Queue::P1).await;
    let mut seen = ids(&collect(first.as_mut(), 4).await);
    first.pause().await.unwrap();
    seen.extend(ids(&collect(second.as_mut(), 6).await));
    assert_eq!(sorted(seen), sorted(sent(&messages)));
}

pub async fn wakes_a_waiting_consumer(fixture: &dyn Fixture) {
    let one = fixture.broker().await;
    let other = fixture.broker().await;
    for priority in Priority::ALL {
        let mut consumer = consume(&*one, priority.queue()).await;
        let waiting = tokio::spawn(async move { collect(consumer.as_mut(), 1).await });
        tokio::task::yield_now().await;
        let news = message(priority);
        publish(&*other, std::slice::from_ref(&news)).await;
        let delivery = waiting.await.unwrap();
        assert_eq!(ids(&delivery), [news.id]);
        one.ack(receipts(&delivery)).await.unwrap();
    }
}

/// One worker waits on all its queues at once; what comes for one of them is not given to another.
pub async fn wakes_consumers_of_the_right_queue(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let worker = ProcessId::new();
    let mut waiting = Vec::new();
    for queue in queues() {
        let mut consumer = broker.consume(worker, queue).await.unwrap();
        waiting.push(tokio::spawn(async move { ids(&collect(consumer.as_mut(), 1).await) }));
    }
    let mut messages: Vec<_> = queues().map(message_on).into();
    messages.reverse();
    publish(&*broker, &messages).await;
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), [messages.pop().unwrap().id]);
    }
}

pub async fn carries_every_field_and_a_large_body(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    for queue in queues() {
        let large = message_with(queue.priority(), |task| {
            task.queue = queue.own();
            task.payload = clawpool_core::task::Payload::encode(&"x".repeat(256 * 1024)).unwrap();
            task.generation = 7;
        });
        publish(&*broker, std::slice::from_ref(&large)).await;
        let mut consumer = consume(&*broker, queue).await;
        let delivery = collect(consumer.as_mut(), 1).await.remove(0);
        assert!(delivery.message == large, "{queue} changed the message");
    }
}

pub async fn an_acknowledged_message_never_returns(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let survivor = fixture.broker().await;
    let worker = ProcessId::new();
    let messages: Vec<_> = (0..3).map(|_| message(Priority::P5)).collect();
    publish(&*broker, &messages).await;
    let mut consumer = broker.consume(worker, Queue::P5).await.unwrap();
    let deliveries = collect(consumer.as_mut(), 3).await;
    broker.ack(receipts(&deliveries)).await.unwrap();
    drop((consumer, broker));
    survivor.reclaim(worker).await.unwrap();
    assert_drained(&*survivor, Queue::P5).await;
}

pub async fn takes_the_same_message_twice(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let twin = message(Priority::P1);
    publish(&*broker, &[twin.clone(), twin.clone()]).await;
    publish(&*broker, std::slice::from_ref(&twin)).await;
    let sentinel = message(Priority::P1);
    publish(&*broker, std::slice::from_ref(&sentinel)).await;
    let mut consumer = consume(&*broker, Queue::P1).await;
    let mut twins = 0;
    loop {
        let delivery = collect(consumer.as_mut(), 1).await;
        broker.ack(receipts(&delivery)).await.unwrap();
        if delivery[0].message.id == sentinel.id {
            break;
        }
        assert!(delivery[0].message == twin);
        twins += 1;
    }
    assert!((1..=3).contains(&twins), "{twins} copies of a message sent three times");
}

pub async fn inv_1_concurrent_consumers_lose_nothing(fixture: &dyn Fixture) {
    const EACH: usize = 250;
    const SENDERS: usize = 3;
    let taken = Arc::new(Mutex::new(Vec::new()));
    let done = CancellationToken::new();
    let acked = Arc::new(AtomicUsize::new(0));
    let mut takers = Vec::new();
    for _ in 0..3 {
        let broker = fixture.broker().await;
        let taken = taken.clone();
        let done = done.clone();
        let acked = acked.clone();
        takers.push(tokio::spawn(async move {
            let mut consumer = consume(&*broker, Queue::P4).await;
            while let Some(batch) = done.run_until_cancelled(consumer.next(16)).await {
                let batch = batch.unwrap();
                broker.ack(receipts(&batch)).await.unwrap();
                taken.lock().unwrap().extend(ids(&batch));
                if acked.fetch_add(batch.len(), Ordering::SeqCst) + batch.len() >= EACH * SENDERS {
                    done.cancel();
                }
            }
        }));
    }
    let mut expected = Vec::new();
    for _ in 0..SENDERS {
        let messages: Vec<_> = (0..EACH).map(|_| message(Priority::P4)).collect();
        expected.extend(sent(&messages));
        let broker = fixture.broker().await;
        takers.push(tokio::spawn(async move {
            for chunk in messages.chunks(20) {
                publish(&*broker, chunk).await;
            }
        }));
    }
    for task in takers {
        task.await.unwrap();
    }
    let taken = sorted(std::mem::take(&mut taken.lock().unwrap()));
    assert!(
        taken == sorted(expected),
        "each of {} messages is taken once; {} were",
        EACH * SENDERS,
        taken.len()
    );
}
