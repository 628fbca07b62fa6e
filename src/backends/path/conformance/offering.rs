//! What becomes of an offer.

use super::*;

pub async fn inv_1_a_task_is_taken_and_finished_once(fixture: &dyn Fixture) {
    let producer = fixture.servers().await;
    let mut worker = Worker::start(fixture).await;
    let messages = Priority::ALL.map(message);
    offer(&producer, &messages).await;
    for message in &messages {
        assert_eq!(state(&producer, message.id).await, State::Queued);
    }
    let taken = worker.take(messages.len()).await;
    assert_eq!(sorted(ids(&taken)), sorted(sent(&messages)));
    for taken in &taken {
        let message = messages.iter().find(|message| message.id == taken.task.id).unwrap();
        assert_eq!(*taken.task, message.task().unwrap(), "as it was offered");
        assert_eq!((taken.crashes, taken.is_poison), (0, false));
        assert_eq!((taken.claimed.id, taken.claimed.queue), (message.id, message.queue));
        let record = producer.store.record(message.id).await.unwrap().unwrap();
        assert_eq!((record.state, record.worker), (State::Running, Some(worker.id)));
        assert!(worker.finish(taken, completed()).await);
        let record = producer.store.record(message.id).await.unwrap().unwrap();
        assert_eq!((record.state, record.worker), (State::Completed, None));
        assert_eq!(record.result, Some(Payload::encode("done").unwrap()));
    }
    worker.leave_nothing().await;
}

pub async fn a_known_id_is_answered_not_added(fixture: &dyn Fixture) {
    let producer = fixture.servers().await;
    let mut worker = Worker::start(fixture).await;
    let known = offer_one(&producer, Priority::P4).await;
    let new = message(Priority::P4);
    let again = producer.path.offer(&[admission(&known), admission(&new)]).await;
    let [Offered::Known(record), Offered::New] = &again[..] else { panic!("{again:?}") };
    assert_eq!((record.id, record.state), (known.id, State::Queued));
    let taken = worker.take(2).await;
    assert_eq!(ids(&taken), [known.id, new.id]);
    for taken in &taken {
        assert!(worker.finish(taken, completed()).await);
    }
    let over = producer.path.offer(&[admission(&known)]).await;
    let [Offered::Known(record)] = &over[..] else { panic!("{over:?}") };
    assert_eq!(record.state, State::Completed);
    assert_drained(&mut worker, Priority::P4).await;
}

pub async fn a_unique_key_is_held_while_unfinished(fixture: &dyn Fixture) {
    let producer = fixture.servers().await;
    let mut worker = Worker::start(fixture).await;
    let keyed = |message: &Message| Admission { unique_key: Some("only one".into()), ..admission(message) };
    let first = message(Priority::P1);
    let second = message(Priority::P1);
    let third = message(Priority::P1);
    let answers = producer.path.offer(&[keyed(&first), keyed(&second)]).await;
    let [Offered::New, Offered::Known(record)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(record.id, first.id);
    let taken = worker.take_one().await;
    assert_eq!(taken.task.id, first.id);
    assert!(worker.finish(&taken, completed()).await);
    let answers = producer.path.offer(&[keyed(&third)]).await;
    assert!(matches!(answers[..], [Offered::New]), "{answers:?}");
    let taken = worker.take_one().await;
    assert_eq!(taken.task.id, third.id, "the second one was never there");
    assert!(worker.finish(&taken, completed()).await);
    worker.leave_nothing().await;
}

pub async fn a_full_queue_refuses_and_leaves_no_record(fixture: &dyn Fixture) {
    let producer = fixture.servers().await;
    let mut worker = Worker::start(fixture).await;
    let mut accepted = Vec::new();
    // A broker may overshoot its limit a little; it must not overshoot for ever.
    let refused = loop {
        assert!(accepted.len() < 100 * SMALL_LIMIT as usize, "the queue is never full");
        let plain = message(Priority::P4);
        let other = message(Priority::P5);
        let answers = producer.path.offer(&[admission(&plain), admission(&other)]).await;
        assert!(matches!(answers[1], Offered::New), "another queue is not full: {answers:?}");
        match &answers[0] {
            Offered::New => accepted.push(plain),
            Offered::Refused(Refusal::Refused(PathError::Broker(BrokerError::Full { queue, limit })))
                if (*queue, *limit) == (Queue::P4, SMALL_LIMIT) =>
            {
                break plain;
            }
            answer => panic!("{answer:?}"),
        }
    };
    assert!(accepted.len() >= SMALL_LIMIT as usize, "{} of {SMALL_LIMIT} taken", accepted.len());
    let record = producer.store.record(refused.id).await.unwrap();
    assert!(record.is_none(), "{record:?}");
    let mut taken = worker.take(2 * accepted.len() + 1).await;
    for taken in &taken {
        assert!(worker.finish(taken, completed()).await);
    }
    taken.retain(|taken| taken.task.priority == Priority::P4);
    assert_eq!(sorted(ids(&taken)), sorted(sent(&accepted)), "what was refused is not there");
    // The same one, once there is room again.
    eventually(async || match &producer.path.offer(&[admission(&refused)]).await[..] {
        [Offered::New] => true,
        [Offered::Refused(Refusal::Refused(_))] => false,
        answers => panic!("{answers:?}"),
    })
    .await;
    let taken = worker.take_one().await;
    assert_eq!(taken.task.id, refused.id);
    assert!(worker.finish(&taken, completed()).await);
}

/// Its producer died after the record, or its queue was purged.
pub async fn inv_1_a_known_task_whose_message_is_lost_is_put_back(fixture: &dyn Fixture) {
    let producer = fixture.servers().await;
    let mut worker = Worker::start(fixture).await;
    let message = message(Priority::P2);
    producer.store.admit(&[admission(&message)]).await.unwrap();
    let answers = producer.path.offer(&[admission(&message)]).await;
    assert!(matches!(answers[..], [Offered::Known(_)]), "{answers:?}");
    let taken = worker.take_one().await;
    assert_eq!(taken.task.id, message.id);
    assert!(worker.finish(&taken, completed()).await);
    worker.leave_nothing().await;
}

pub async fn a_known_id_of_another_task_is_a_conflict(fixture: &dyn Fixture) {
    let producer = fixture.servers().await;
    let mut worker = Worker::start(fixture).await;
    let message = message(Priority::P4);
    let task = Admission { fingerprint: Some(Fingerprint::from_bits(7)), ..admission(&message) };
    let other = Admission { fingerprint: Some(Fingerprint::from_bits(8)), ..task.clone() };
    let kind = Admission { kind: "test.other".into(), ..task.clone() };
    let answers = producer.path.offer(&[task.clone(), other.clone()]).await;
    let [Offered::New, Offered::Refused(Refusal::Conflict(id))] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(*id, message.id);
    let assert_told_apart = async || {
        let answers = producer.path.offer(&[kind.clone(), task.clone(), other.clone()]).await;
        let [
            Offered::Refused(Refusal::Conflict(_)),
            Offered::Known(_),
            Offered::Refused(Refusal::Conflict(_)),
        ] = &answers[..]
        else {
            panic!("{answers:?}")
        };
    };
    assert_told_apart().await;
    let taken = worker.take_one().await;
    assert_told_apart().await;
    assert!(worker.finish(&taken, completed()).await);
    assert_told_apart().await;
    worker.leave_nothing().await;
}
