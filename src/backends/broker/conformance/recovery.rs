//! What comes back, and to whom: releases, dead workers, dropped futures, late receipts.

use super::*;
use clawpool_core::task::Priority;

pub async fn release_returns_to_the_front(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    for queue in queues() {
        let messages: Vec<_> = (0..5).map(|_| message_on(queue)).collect();
        publish(&*broker, &messages).await;
        let mut consumer = consume(&*broker, queue).await;
        let head = collect(consumer.as_mut(), 2).await;
        consumer.pause().await.unwrap();
        broker.release(receipts(&head)).await.unwrap();
        drop(consumer);
        // Everything is back before the next one asks: a release may take a moment to reach the queue's head.
        eventually(async || broker.depth(queue).await.unwrap().ready == 5).await;
        let mut consumer = consume(&*broker, queue).await;
        let again = collect(consumer.as_mut(), 5).await;
        // Not by the order of sending: a queue that is just being made may refuse the first messages once
        // (`OutgoingMessage::send`).
        assert_eq!(sorted(ids(&again)[..2].to_vec()), sorted(ids(&head)), "{queue}");
        assert_eq!(sorted(ids(&again)), sorted(sent(&messages)), "{queue}");
        broker.ack(receipts(&again)).await.unwrap();
    }
}

pub async fn reclaim_returns_all_of_a_dead_worker(fixture: &dyn Fixture) {
    let doomed = fixture.broker().await;
    let survivor = fixture.broker().await;
    let worker = ProcessId::new();
    let mut messages = Vec::new();
    let mut consumers = Vec::new();
    for queue in queues() {
        let batch: Vec<_> = (0..3).map(|_| message_on(queue)).collect();
        publish(&*doomed, &batch).await;
        let mut consumer = doomed.consume(worker, queue).await.unwrap();
        collect(consumer.as_mut(), 3).await;
        messages.extend(batch);
        consumers.push(consumer);
    }
    drop((consumers, doomed));
    survivor.reclaim(worker).await.unwrap();
    for queue in queues() {
        let mut consumer = consume(&*survivor, queue).await;
        let seen = sorted(ids(&collect(consumer.as_mut(), 3).await));
        let expected = messages.iter().filter(|message| message.queue == queue).map(|message| message.id);
        assert_eq!(seen, sorted(expected.collect()), "{queue}");
    }
}

pub async fn reclaim_of_an_unknown_worker_changes_nothing(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let messages = [message(Priority::P0), message(Priority::P0)];
    publish(&*broker, &messages).await;
    let mut consumer = consume(&*broker, Queue::P0).await;
    let held = collect(consumer.as_mut(), 2).await;
    assert_eq!(broker.reclaim(ProcessId::new()).await.unwrap(), 0);
    broker.ack(receipts(&held)).await.unwrap();
    consumer.pause().await.unwrap();
    assert_drained(&*broker, Queue::P0).await;
}

pub async fn a_dropped_next_loses_nothing(fixture: &dyn Fixture) {
    const COUNT: usize = 40;
    let broker = fixture.broker().await;
    let publisher = fixture.broker().await;
    for queue in [Queue::P0, Queue::P2, Queue::P4] {
        let messages: Vec<_> = (0..COUNT).map(|_| message_on(queue)).collect();
        let mut consumer = consume(&*broker, queue).await;
        let mut seen = Vec::new();
        for (round, message) in messages.iter().enumerate() {
            let patience = Duration::from_micros(100 * round as u64);
            // The futures are dropped at every stage of their life: before, while and after the message
            // arrives.
            let (next, ()) = tokio::join!(
                tokio::time::timeout(patience, consumer.next(2)),
                publish(&*publisher, std::slice::from_ref(message))
            );
            if let Ok(Ok(batch)) = next {
                broker.ack(receipts(&batch)).await.unwrap();
                seen.extend(ids(&batch));
            }
        }
        let left = COUNT - seen.len();
        seen.extend(ids(&collect(consumer.as_mut(), left).await));
        assert_eq!(sorted(seen), sorted(sent(&messages)), "{queue}");
    }
}

pub async fn a_dropped_consumer_gives_back_what_it_did_not_return(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let messages: Vec<_> = (0..10).map(|_| message(Priority::P4)).collect();
    publish(&*broker, &messages).await;
    let mut consumer = consume(&*broker, Queue::P4).await;
    let first = collect(consumer.as_mut(), 1).await;
    for patience in 0..20 {
        let next = tokio::time::timeout(Duration::from_micros(patience * 50), consumer.next(2)).await;
        if let Ok(Ok(batch)) = next {
            broker.release(receipts(&batch)).await.unwrap();
        }
    }
    drop(consumer);
    let mut other = consume(&*broker, Queue::P4).await;
    let rest = collect(other.as_mut(), 9).await;
    assert_eq!(sorted([ids(&first), ids(&rest)].concat()), sorted(sent(&messages)));
    broker.ack(receipts(&first)).await.unwrap();
}

pub async fn pause_gives_the_surplus_to_others(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let other = fixture.broker().await;
    for queue in queues() {
        let messages: Vec<_> = (0..10).map(|_| message_on(queue)).collect();
        publish(&*broker, &messages).await;
        let mut busy = consume(&*broker, queue).await;
        let first = collect(busy.as_mut(), 1).await;
        busy.pause().await.unwrap();
        let mut idle = consume(&*other, queue).await;
        let rest = collect(idle.as_mut(), 9).await;
        other.ack(receipts(&rest)).await.unwrap();
        broker.ack(receipts(&first)).await.unwrap();
        assert_eq!(sorted([ids(&first), ids(&rest)].concat()), sorted(sent(&messages)), "{queue}");
        // A paused consumer fetches again when asked.
        idle.pause().await.unwrap();
        let news = message_on(queue);
        publish(&*other, std::slice::from_ref(&news)).await;
        let delivery = collect(busy.as_mut(), 1).await;
        assert_eq!(ids(&delivery), [news.id], "{queue}");
        broker.ack(receipts(&delivery)).await.unwrap();
    }
}

pub async fn acks_of_unknown_receipts_are_harmless(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    for queue in queues() {
        let messages: Vec<_> = (0..2).map(|_| message_on(queue)).collect();
        publish(&*broker, &messages).await;
        let mut consumer = consume(&*broker, queue).await;
        let first = collect(consumer.as_mut(), 1).await;
        for _ in 0..2 {
            broker.ack(receipts(&first)).await.unwrap();
            broker.release(receipts(&first)).await.unwrap();
        }
        let unknown = Receipt {
            worker: ProcessId::new(),
            id: TaskId::new(),
            channel: 9_999,
            tag: 9_999,
            ..first[0].receipt.clone()
        };
        broker.ack(vec![unknown.clone()]).await.unwrap();
        broker.release(vec![unknown]).await.unwrap();
        let second = collect(consumer.as_mut(), 1).await;
        assert_eq!(ids(&second), [messages[1].id], "{queue}");
        broker.ack(receipts(&second)).await.unwrap();
    }
}

/// INV-2 begins at the broker: what a zombie still sends must not remove what has passed to another worker.
pub async fn a_late_ack_does_not_take_the_message_from_its_next_owner(fixture: &dyn Fixture) {
    let doomed = fixture.broker().await;
    let survivor = fixture.broker().await;
    let zombie = ProcessId::new();
    let task = message(Priority::P1);
    publish(&*doomed, std::slice::from_ref(&task)).await;
    let mut consumer = doomed.consume(zombie, Queue::P1).await.unwrap();
    let first = collect(consumer.as_mut(), 1).await;
    drop((consumer, doomed));
    survivor.reclaim(zombie).await.unwrap();
    let successor = ProcessId::new();
    let mut consumer = survivor.consume(successor, Queue::P1).await.unwrap();
    assert_eq!(ids(&collect(consumer.as_mut(), 1).await), [task.id]);
    let late = fixture.broker().await;
    late.ack(receipts(&first)).await.unwrap();
    late.release(receipts(&first)).await.unwrap();
    drop((consumer, survivor));
    late.reclaim(successor).await.unwrap();
    let mut consumer = consume(&*late, Queue::P1).await;
    assert_eq!(ids(&collect(consumer.as_mut(), 1).await), [task.id], "the zombie's ack is ignored");
}

pub async fn messages_outlive_the_handle_that_published_them(fixture: &dyn Fixture) {
    let publisher = fixture.broker().await;
    let messages: Vec<_> = Priority::ALL.map(message).into();
    publish(&*publisher, &messages).await;
    drop(publisher);
    let broker = fixture.broker().await;
    for message in &messages {
        let mut consumer = consume(&*broker, message.queue).await;
        let delivery = collect(consumer.as_mut(), 1).await;
        assert_eq!(ids(&delivery), [message.id]);
        broker.ack(receipts(&delivery)).await.unwrap();
    }
}

/// Reconciles until everything is back, as a worker does about once a second.
async fn reconcile_until(broker: &dyn Broker, worker: ProcessId, count: u64) {
    let mut back = 0;
    while back < count {
        back += broker.reconcile(worker).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(back, count);
}

/// The worker lives, and has lost these deliveries: with an answer, or with a dropped receipt.
pub async fn a_living_workers_unknown_deliveries_return(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let worker = ProcessId::new();
    for queue in queues() {
        let messages: Vec<_> = (0..4).map(|_| message_on(queue)).collect();
        publish(&*broker, &messages).await;
        let mut consumer = broker.consume(worker, queue).await.unwrap();
        let mut known = collect(consumer.as_mut(), 4).await;
        consumer.pause().await.unwrap();
        let forgotten = known.split_off(1);
        let lost = sorted(ids(&forgotten));
        drop(forgotten);
        reconcile_until(&*broker, worker, 3).await;
        // To the next consumer that asks, which may be the same worker.
        let again = collect(consumer.as_mut(), 3).await;
        assert_eq!(sorted(ids(&again)), lost, "{queue}");
        broker.ack(receipts(&[known, again].concat())).await.unwrap();
    }
}

/// A fetch whose answer never came: the broker counts the messages as held by this worker, which does not
/// know them.
pub async fn the_deliveries_of_a_lost_answer_return(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let worker = ProcessId::new();
    for queue in queues() {
        let mut own = broker.consume(worker, queue).await.unwrap();
        publish(&*broker, &[message_on(queue)]).await;
        broker.ack(receipts(&collect(own.as_mut(), 1).await)).await.unwrap();
        own.pause().await.unwrap();
        let messages: Vec<_> = (0..3).map(|_| message_on(queue)).collect();
        publish(&*broker, &messages).await;
        // A handle of its own takes them for the worker, and is dropped with what it knows.
        let lost = fixture.broker().await;
        let mut consumer = lost.consume(worker, queue).await.unwrap();
        let taken = collect(consumer.as_mut(), 3).await;
        drop((taken, consumer, lost));
        let mut other = consume(&*broker, queue).await;
        let reconciling = async {
            loop {
                broker.reconcile(worker).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let back = tokio::select! {
            back = collect(other.as_mut(), 3) => back,
            () = reconciling => unreachable!("it reconciles for ever"),
        };
        assert_eq!(sorted(ids(&back)), sorted(sent(&messages)), "{queue}");
        broker.ack(receipts(&back)).await.unwrap();
    }
}

/// Deliveries with a receipt stay with their worker, however often they are compared.
pub async fn a_workers_known_deliveries_stay_with_it(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let worker = ProcessId::new();
    let mut held = Vec::new();
    let mut consumers = Vec::new();
    for queue in queues() {
        let messages: Vec<_> = (0..3).map(|_| message_on(queue)).collect();
        publish(&*broker, &messages).await;
        let mut consumer = broker.consume(worker, queue).await.unwrap();
        held.extend(collect(consumer.as_mut(), 2).await);
        // The third one may have come along by now, and waits in the consumer.
        consumers.push(consumer);
    }
    for _ in 0..5 {
        assert_eq!(broker.reconcile(worker).await.unwrap(), 0);
    }
    let receipts = receipts(&held);
    drop(held);
    for _ in 0..5 {
        assert_eq!(broker.reconcile(worker).await.unwrap(), 0, "a receipt is enough");
    }
    broker.ack(receipts).await.unwrap();
}

/// Deliveries come and go while they are compared: none is handed out a second time.
pub async fn inv_5_reconciling_under_load_takes_nothing_that_is_held(fixture: &dyn Fixture) {
    const COUNT: usize = 600;
    let broker = fixture.broker().await;
    let worker = ProcessId::new();
    let messages: Vec<_> = (0..COUNT).map(|_| message(Priority::P1)).collect();
    publish(&*broker, &messages).await;
    let mut consumer = broker.consume(worker, Queue::P1).await.unwrap();
    let work = async {
        let mut seen = Vec::new();
        while seen.len() < COUNT {
            let batch = consumer.next(5).await.unwrap();
            broker.ack(receipts(&batch)).await.unwrap();
            seen.extend(ids(&batch));
        }
        seen
    };
    let reconciling = async {
        loop {
            assert_eq!(broker.reconcile(worker).await.unwrap(), 0);
            tokio::task::yield_now().await;
        }
    };
    let seen = tokio::select! {
        seen = work => seen,
        () = reconciling => unreachable!("it reconciles for ever"),
    };
    assert_eq!(sorted(seen), sorted(sent(&messages)), "each once");
}

pub async fn restore_leaves_alone_what_waits_and_what_is_held(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let worker = ProcessId::new();
    let messages = [message(Priority::P4), message(Priority::P4)];
    publish(&*broker, &messages).await;
    let mut consumer = broker.consume(worker, Queue::P4).await.unwrap();
    let held = collect(consumer.as_mut(), 1).await;
    let missing = messages.each_ref().map(|message| {
        let Message { id, generation, queue, .. } = *message;
        Missing { id, generation, queue }
    });
    let found = broker.restore(&missing, &[worker]).await.unwrap();
    assert!(found.iter().all(|found| matches!(found, Found::There | Found::Unknown)), "{found:?}");
    let other = Missing { id: TaskId::new(), ..missing[0] };
    let found = broker.restore(&[other], &[worker]).await.unwrap();
    assert!(matches!(found[..], [Found::Gone | Found::Unknown]), "{found:?}");
    broker.ack(receipts(&held)).await.unwrap();
    let rest = collect(consumer.as_mut(), 1).await;
    broker.ack(receipts(&rest)).await.unwrap();
    drop(consumer);
    assert_drained(&*broker, Queue::P4).await;
}

/// A broker whose queues cannot be read shows nothing.
pub async fn a_message_can_be_looked_at_while_it_waits_or_is_held(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let messages = [message(Priority::P4), message(Priority::P4)];
    publish(&*broker, &messages).await;
    let worker = ProcessId::new();
    let mut consumer = broker.consume(worker, Queue::P4).await.unwrap();
    let held = collect(consumer.as_mut(), 1).await;
    for message in &messages {
        let Message { id, generation, queue, .. } = *message;
        let wanted = Missing { id, generation, queue };
        let is_readable = broker.restore(&[wanted], &[worker]).await.unwrap() != [Found::Unknown];
        let found = broker.peek(wanted, message.enqueued_at).await.unwrap();
        assert_eq!(found, is_readable.then(|| message.clone()));
        let other = Missing { generation: generation + 1, ..wanted };
        assert_eq!(broker.peek(other, message.enqueued_at).await.unwrap(), None);
    }
    broker.ack(receipts(&held)).await.unwrap();
    let rest = collect(consumer.as_mut(), 1).await;
    broker.ack(receipts(&rest)).await.unwrap();
    drop(consumer);
    assert_drained(&*broker, Queue::P4).await;
}

pub async fn an_unreadable_message_disturbs_no_other(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    let worker = ProcessId::new();
    for queue in queues() {
        let messages: Vec<_> = (0..3).map(|_| message_on(queue)).collect();
        publish(&*broker, &messages[..1]).await;
        fixture.put_garbage(queue).await;
        publish(&*broker, &messages[1..2]).await;
        fixture.put_garbage(queue).await;
        fixture.put_garbage(queue).await;
        publish(&*broker, &messages[2..]).await;
        let mut consumer = broker.consume(worker, queue).await.unwrap();
        let mut seen = Vec::new();
        // One at a time, so that it comes to be alone in a batch.
        while seen.len() < messages.len() {
            let delivery = collect(consumer.as_mut(), 1).await;
            broker.depth(queue).await.unwrap();
            broker.ack(receipts(&delivery)).await.unwrap();
            seen.extend(ids(&delivery));
        }
        // Not by the order of sending: a queue that is just being made may refuse the first messages once
        // (`OutgoingMessage::send`).
        assert_eq!(sorted(seen), sorted(sent(&messages)), "{queue}");
        drop(consumer);
        assert_eq!(broker.reclaim(worker).await.unwrap(), 0, "{queue}: no worker holds it");
        assert_drained(&*broker, queue).await;
        let mut other = consume(&*broker, queue).await;
        tokio::select! {
            () = eventually(async || broker.depth(queue).await.unwrap().ready == 0) => {}
            more = other.next(1) => panic!("{queue}: {more:?}"),
        }
    }
}

pub async fn a_probe_leaves_nothing_behind(fixture: &dyn Fixture) {
    let broker = fixture.broker().await;
    for (server, taken) in broker.probe(Duration::from_secs(10)).await {
        assert!(taken.is_ok(), "{server}: {taken:?}");
    }
    for queue in queues() {
        assert_eq!(broker.depth(queue).await.unwrap().ready, 0, "{queue}");
    }
}
