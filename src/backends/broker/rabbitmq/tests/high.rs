//! The two ways in which P2 and P3 are carried, and going from one to the other.

use super::*;
use crate::broker::{Consumer, Delivery, rabbitmq::RabbitBroker};
use clawpool_core::{
    config::HighQueues,
    task::{Message, ProcessId, Queue, TaskId},
};

async fn publish(broker: &RabbitBroker, messages: &[Message]) {
    for answer in guarded(broker.publish(messages.to_vec())).await {
        answer.unwrap();
    }
}

/// Takes and acknowledges so many.
async fn drain(broker: &RabbitBroker, consumer: &mut dyn Consumer, count: usize) -> Vec<Delivery> {
    let mut all = Vec::new();
    while all.len() < count {
        let batch = guarded(consumer.next(count - all.len())).await.unwrap();
        broker.ack(batch.iter().map(|delivery| delivery.receipt.clone()).collect()).await.unwrap();
        all.extend(batch);
    }
    all
}

fn ids(deliveries: &[Delivery]) -> Vec<TaskId> {
    deliveries.iter().map(|delivery| delivery.message.id).collect()
}

async fn open(rabbit: &Rabbit, high: HighQueues) -> RabbitBroker {
    let mut config = rabbit.config.clone();
    config.rabbitmq.high = high;
    RabbitBroker::open(&config).await.unwrap()
}

/// Five messages of both priorities, and where P2's stand among them.
fn mixed() -> (Vec<Message>, [usize; 2]) {
    let order = [Priority::P3, Priority::P3, Priority::P2, Priority::P3, Priority::P2];
    (order.into_iter().map(message).collect(), [2, 4])
}

#[tokio::test]
async fn p2_goes_before_p3_on_one_queue_with_priorities() {
    let rabbit = Rabbit::fresh(Config::default()).await;
    let broker = open(&rabbit, HighQueues::Priority).await;
    let (messages, _) = mixed();
    publish(&broker, &messages).await;
    assert_eq!(broker.depth(Queue::P2).await.unwrap().ready, 5, "both are counted there");
    assert_eq!(broker.depth(Queue::P3).await.unwrap().ready, 0);
    let mut consumer = broker.consume(ProcessId::new(), Queue::P2).await.unwrap();
    let mut lower = broker.consume(ProcessId::new(), Queue::P3).await.unwrap();
    let seen = drain(&broker, consumer.as_mut(), 5).await;
    assert_eq!(ids(&seen), [2, 4, 0, 1, 3].map(|index| messages[index].id));
    assert!(seen.iter().all(|delivery| delivery.receipt.queue == delivery.message.queue));
    assert!(futures::poll!(lower.next(1)).is_pending());
}

/// What an earlier version has put there, or this one with the other setting.
#[tokio::test]
async fn inv_1_messages_of_the_other_setting_are_consumed_until_there_are_none() {
    for (before, after) in
        [(HighQueues::Priority, HighQueues::Quorum), (HighQueues::Quorum, HighQueues::Priority)]
    {
        let rabbit = Rabbit::fresh(Config::default()).await;
        let old = open(&rabbit, before).await;
        let new = open(&rabbit, after).await;
        let (waiting, _) = mixed();
        publish(&old, &waiting).await;
        let worker = ProcessId::new();
        let mut p2 = new.consume(worker, Queue::P2).await.unwrap();
        let mut p3 = new.consume(worker, Queue::P3).await.unwrap();
        let (news, _) = mixed();
        publish(&new, &news).await;
        let depths = [Queue::P2, Queue::P3].map(|queue| new.depth(queue));
        let depths = futures::future::join_all(depths).await;
        assert_eq!(depths.into_iter().map(|depth| depth.unwrap().ready).sum::<u64>(), 10);
        // While both versions run, the old one goes on publishing.
        let (late, _) = mixed();
        publish(&old, &late).await;
        let mut seen = Vec::new();
        while seen.len() < 15 {
            let batch = guarded(async {
                tokio::select! {
                    batch = p2.next(15) => batch,
                    batch = p3.next(15) => batch,
                }
            });
            let batch = batch.await.unwrap();
            new.ack(batch.iter().map(|delivery| delivery.receipt.clone()).collect()).await.unwrap();
            seen.extend(ids(&batch));
        }
        let mut sent: Vec<TaskId> = [waiting, news, late].concat().iter().map(|message| message.id).collect();
        seen.sort_unstable();
        sent.sort_unstable();
        assert_eq!(seen, sent, "{before:?} to {after:?}");
    }
}
