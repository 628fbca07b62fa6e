//! `Producer` on real brokers and stores.

use std::{sync::Arc, time::Duration};

use crate::dispatch::testing::{NO_RIGHTS, Pool, email, keyed, redis, sqlite};
use crate::dispatch::{Accepted, Fault, ProducerToken, Rights};
use clawpool_backends::{
    broker::BrokerError,
    store::{Cancelled, RecordFilter},
};
use clawpool_core::{
    config::{Config, QueueSettings},
    task::{NewTask, Payload, Priority, Queue, TaskId},
};

async fn a_bad_task_costs_the_others_nothing(config: Config) {
    let pool = Pool::open(config).await;
    let voice = NewTask::new("voice.call", Payload::null());
    let answers =
        pool.enqueue([email(), NewTask { max_attempts: Some(0), ..email() }, voice, keyed("")]).await;
    let codes: Vec<_> =
        answers.iter().map(|answer| answer.as_ref().map_or_else(|no| no.code, |_| "ok")).collect();
    assert_eq!(codes, ["ok", "CP-1112", "ok", "CP-1104"]);
    let first = answers[0].as_ref().unwrap();
    let third = answers[2].as_ref().unwrap();
    assert_eq!((first.queue, third.queue, third.priority), (Queue::P4, Queue::P0, Priority::P0));
    assert_eq!(pool.drain(Queue::P4, 1).await[0].id, first.id);
    assert_eq!(pool.drain(Queue::P0, 1).await[0].id, third.id);
    assert_eq!(pool.store.record(first.id).await.unwrap().unwrap().kind, "email.send");
}

async fn a_known_id_is_answered_not_added(config: Config) {
    let pool = Pool::open(config).await;
    let task = NewTask { id: Some(TaskId::new()), ..email() };
    let answers = pool.enqueue([task.clone(), task.clone()]).await;
    let again = pool.one(task.clone()).await.unwrap();
    assert!(!answers[0].as_ref().unwrap().duplicate);
    assert!(answers[1].as_ref().unwrap().duplicate && again.duplicate);
    assert_eq!((again.id, pool.ready(Queue::P4).await), (task.id.unwrap(), 1));
}

async fn a_unique_key_is_free_again_when_its_task_is_over(config: Config) {
    let pool = Pool::open(config).await;
    let first = pool.one(keyed("k")).await.unwrap();
    let second = pool.one(NewTask { priority: None, ..keyed("k") }).await.unwrap();
    assert_eq!((second.id, second.duplicate, pool.ready(Queue::P4).await), (first.id, true, 1));
    assert_eq!(pool.store.cancel(first.id).await.unwrap(), Cancelled::Done);
    let third = pool.one(keyed("k")).await.unwrap();
    assert!(!third.duplicate && third.id != first.id);
}

/// INV-1, both ways: what is refused leaves nothing behind, what was accepted stays.
async fn inv_1_a_full_queue_refuses_and_keeps(mut config: Config) {
    config.queues.push(QueueSettings {
        name: Queue::P4.name().into(),
        limit: Some(2),
        ..QueueSettings::default()
    });
    let pool = Pool::open(config).await;
    let answers = pool.enqueue([email(), email(), keyed("k")]).await;
    let refused = answers[2].as_ref().unwrap_err();
    assert_eq!((refused.code, refused.fault), ("CP-1203", Fault::Busy), "{refused}");
    assert!(refused.retry_after.is_some() && answers[0].is_ok() && answers[1].is_ok());
    let page = pool.store.records(&RecordFilter::default(), None, 100).await.unwrap();
    assert_eq!(page.items.len(), 2, "the refused task left a record");
    assert_eq!(pool.drain(Queue::P4, 2).await.len(), 2);
    assert!(!pool.one(keyed("k")).await.unwrap().duplicate, "the refused task left its unique key");
}

async fn a_delayed_task_waits_in_the_schedule_set(config: Config) {
    let pool = Pool::open(config).await;
    let delayed = NewTask { delay: Some(Duration::from_secs(3600)), ..keyed("k") };
    let accepted = pool.one(delayed.clone()).await.unwrap();
    let page = pool.store.scheduled(None, 10).await.unwrap();
    assert_eq!((page.items[0].id, Some(page.items[0].at)), (accepted.id, accepted.due_at));
    let again = pool.one(delayed).await.unwrap();
    assert_eq!((again.id, again.due_at, again.duplicate), (accepted.id, accepted.due_at, true));
    assert_eq!(pool.ready(Queue::P4).await, 0);
}

/// INV-1 when a dispatcher dies between record and message: the producer got no answer, tries again, and is
/// not told that a task is accepted which no queue holds.
async fn inv_1_a_record_without_a_message_is_mended(config: Config) {
    let pool = Pool::open(config).await;
    let by_id = NewTask { id: Some(TaskId::new()), ..email() };
    pool.record_only(by_id.clone()).await;
    let key_holder = pool.record_only(keyed("k")).await;
    let answers = pool.enqueue([by_id.clone(), keyed("k")]).await;
    let ids: Vec<_> =
        answers.into_iter().map(|answer| answer.unwrap()).map(|it| (it.id, it.duplicate)).collect();
    assert_eq!(ids, [(by_id.id.unwrap(), true), (key_holder, true)]);
    let mut messages = pool.drain(Queue::P4, 2).await;
    messages.sort_by_key(|message| message.id != by_id.id.unwrap());
    assert_eq!(messages[1].id, key_holder);
    assert_eq!(messages[1].task().unwrap().id, key_holder);
}

async fn refusals_of_the_broker_say_when_to_come_back(config: Config) {
    let pool = Pool::open(config).await;
    let broker = "test";
    let reason = || "why".to_owned();
    let cases = [
        (BrokerError::Unavailable { broker, reason: reason() }, Fault::Busy),
        (BrokerError::Blocked { broker, reason: reason() }, Fault::Busy),
        (BrokerError::Unconfirmed { broker, reason: reason() }, Fault::Busy),
        (BrokerError::Refused { broker, reason: reason() }, Fault::Internal),
    ];
    for (error, fault) in cases {
        let code = error.code();
        let task = NewTask { id: Some(TaskId::new()), ..keyed("k") };
        let refused =
            pool.refusing(error).enqueue(vec![task.clone()], NO_RIGHTS).await.remove(0).unwrap_err();
        assert_eq!(
            (refused.code, refused.fault, refused.retry_after.is_some()),
            (code, fault, fault == Fault::Busy)
        );
        assert!(pool.store.record(task.id.unwrap()).await.unwrap().is_none(), "{code} left a record");
    }
    // A repetition is accepted only when its own message is: the first one's may never have been sent.
    let holder = pool.record_only(keyed("k")).await;
    let error = BrokerError::Unavailable { broker, reason: reason() };
    let refused = pool.refusing(error).enqueue(vec![keyed("k")], NO_RIGHTS).await.remove(0).unwrap_err();
    assert!(refused.is_retryable() && refused.id == Some(holder), "{refused}");
    assert!(pool.store.record(holder).await.unwrap().is_some(), "another task's record was withdrawn");
}

async fn of_many_at_once_with_one_key_one_is_added(config: Config) {
    let pool = Pool::open(config).await;
    let answers = futures::future::join_all((0..20).map(|_| pool.one(keyed("k")))).await;
    let accepted: Vec<Accepted> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(accepted.iter().filter(|accepted| !accepted.duplicate).count(), 1);
    assert!(accepted.iter().all(|other| other.id == accepted[0].id));
}

/// Rights of a token, for these tenants alone.
fn token(name: &str, tenants: &[&str]) -> Rights {
    let tenants = tenants.iter().map(|tenant| (*tenant).to_owned()).collect();
    Rights {
        priority: false,
        token: Some(Arc::new(ProducerToken { name: name.to_owned(), tenants, ..Default::default() })),
    }
}

async fn unique_keys_count_within_the_tenant_or_the_token(config: Config) {
    let pool = Pool::open(config).await;
    let of = |tenant: Option<&str>| NewTask { tenant: tenant.map(Into::into), ..keyed("invoice-7") };
    let enqueue = async |task, rights| pool.producer.enqueue(vec![task], rights).await.remove(0).unwrap();
    let acme = enqueue(of(Some("acme")), token("shop", &[])).await;
    let mut seen = vec![acme.id];
    for (tenant, rights) in [
        (Some("evil"), token("other", &[])),
        (None, token("other", &[])),
        (None, token("shop", &[])),
        (None, NO_RIGHTS),
    ] {
        let accepted = enqueue(of(tenant), rights.clone()).await;
        assert!(!accepted.duplicate && !seen.contains(&accepted.id), "{tenant:?} {rights:?}");
        seen.push(accepted.id);
        assert_eq!(enqueue(of(tenant), rights).await.id, accepted.id, "the same once more");
    }
    let colleague = enqueue(of(Some("acme")), token("desk", &[])).await;
    assert_eq!(
        (colleague.id, colleague.duplicate),
        (acme.id, true),
        "a tenant's keys are its own, not its token's"
    );
    let record = pool.store.record(acme.id).await.unwrap().unwrap();
    assert_eq!((record.tenant.as_deref(), record.enqueued_by.as_deref()), (Some("acme"), Some("shop")));
}

async fn a_others_id_is_refused_and_its_task_left_alone(config: Config) {
    let pool = Pool::open(config).await;
    let task = NewTask { id: Some(TaskId::new()), ..email() };
    // As after the death of its dispatcher: a repetition takes its place.
    pool.record_only_by(task.clone(), &token("shop", &[])).await;
    let other = NewTask { payload: Payload::encode("mine").unwrap(), ..task.clone() };
    let refused = pool.producer.enqueue(vec![other], token("other", &[])).await.remove(0).unwrap_err();
    assert_eq!(
        (refused.code, refused.fault, refused.field.as_deref()),
        ("CP-1126", Fault::Forbidden, Some("id"))
    );
    assert_eq!(pool.ready(Queue::P4).await, 0);
    let again = pool.producer.enqueue(vec![task], token("shop", &[])).await.remove(0).unwrap();
    assert!(again.duplicate && pool.ready(Queue::P4).await == 1);
}

async fn a_token_enqueues_for_its_tenants_alone(config: Config) {
    let pool = Pool::open(config).await;
    let of = |tenant: Option<&str>| NewTask { tenant: tenant.map(Into::into), ..email() };
    let both = ["acme", "beta"];
    for (tenant, tenants, expected) in [
        (None, &both[..1], Ok("acme")),
        (Some("acme"), &both[..1], Ok("acme")),
        (Some("beta"), &both[..1], Err(())),
        (Some("beta"), &both, Ok("beta")),
        (Some("evil"), &both, Err(())),
        (None, &both, Err(())),
    ] {
        let rights = token("shop", tenants);
        match (pool.producer.enqueue(vec![of(tenant)], rights.clone()).await.remove(0), expected) {
            (Ok(accepted), Ok(expected)) => {
                let record = pool.store.record(accepted.id).await.unwrap().unwrap();
                assert_eq!(record.tenant.as_deref(), Some(expected));
            }
            (Err(refused), Err(())) => {
                assert_eq!((refused.code, refused.fault), ("CP-1125", Fault::Forbidden));
                assert_eq!(refused.field.as_deref(), Some("tenant"));
                assert_eq!(pool.producer.explain(&of(tenant), &rights).await.unwrap_err(), refused);
            }
            (answer, _) => panic!("{tenant:?} with {tenants:?}: {answer:?}"),
        }
    }
}

macro_rules! on {
    ($backend:ident: $($test:ident),* $(,)?) => {
        mod $backend {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::$backend()).await;
            })*
        }
    };
}

macro_rules! suite {
    ($($backend:ident),*) => {
        $(on!($backend:
            a_bad_task_costs_the_others_nothing,
            a_known_id_is_answered_not_added,
            a_unique_key_is_free_again_when_its_task_is_over,
            inv_1_a_full_queue_refuses_and_keeps,
            a_delayed_task_waits_in_the_schedule_set,
            inv_1_a_record_without_a_message_is_mended,
            refusals_of_the_broker_say_when_to_come_back,
            of_many_at_once_with_one_key_one_is_added,
            unique_keys_count_within_the_tenant_or_the_token,
            a_others_id_is_refused_and_its_task_left_alone,
            a_token_enqueues_for_its_tenants_alone,
        );)*
    };
}

suite!(sqlite, redis);
