//! What is forgotten, and what is not.

use super::*;
use crate::store::{
    Admission, Admitted, Claim, ClaimOutcome, Claimed, End, Settlement, TaskStore, WorkerStore,
    conformance::message,
};
use clawpool_core::task::{Message, Payload, Priority, ProcessId, State, Timestamp};

fn admission(message: &Message) -> Admission {
    Admission {
        message: message.clone(),
        kind: "test.echo".into(),
        tenant: None,
        enqueued_by: None,
        unique_key: Some("key".into()),
        at: None,
        fingerprint: None,
    }
}

fn claim_of(message: &Message) -> Claim {
    let Message { id, generation, queue, enqueued_at, expires_at, .. } = *message;
    Claim { id, generation, ticket: 1, kind: "test.echo".into(), queue, attempt: 0, enqueued_at, expires_at }
}

async fn store(change: impl FnOnce(&mut Config)) -> (SqliteStore, File) {
    let mut config = Config::default();
    change(&mut config);
    let file = open(config).await;
    (SqliteStore::on(file.database().await, &file.config), file)
}

async fn rows(store: &SqliteStore, table: &'static str) -> i64 {
    let count = format!("SELECT count(*) FROM {table}");
    store.database.read(move |sql| sql.query_row(&count, (), |row| row.get(0))).await.unwrap()
}

#[tokio::test]
async fn a_finished_task_is_forgotten_when_its_time_is_over() {
    let (store, _file) = store(|config| config.results.dedupe = Duration::ZERO).await;
    let message = message(Priority::P4);
    let worker = ProcessId::new();
    store.admit(&[admission(&message)]).await.unwrap();
    let ClaimOutcome::Run { token, .. } = store.claim(worker, &[claim_of(&message)], false).await.unwrap()[0]
    else {
        panic!("it runs");
    };
    let claimed = Claimed { id: message.id, queue: message.queue, token };
    let end = End::Completed { result: Payload::null(), keep: Duration::ZERO };
    assert_eq!(store.settle(worker, &[Settlement::uncounted(claimed, end)]).await.unwrap(), [true]);
    assert!(store.record(message.id).await.unwrap().is_none(), "not shown");
    assert_eq!(store.admit(&[admission(&message)]).await.unwrap(), [Admitted::New], "not in the way");
    assert_eq!(rows(&store, "tasks").await, 1, "not kept");
}

/// Its message may still wait on a paused queue: a cancelled task that was forgotten would run.
#[tokio::test]
async fn a_cancelled_task_is_remembered_until_its_message_has_expired() {
    let (store, _file) = store(|config| config.results.dedupe = Duration::ZERO).await;
    let message = message(Priority::P4);
    store.admit(&[admission(&message)]).await.unwrap();
    store.cancel(message.id).await.unwrap();
    for _ in 0..3 {
        store.admit(&[admission(&crate::store::conformance::message(Priority::P4))]).await.unwrap();
    }
    assert_eq!(
        store.claim(ProcessId::new(), &[claim_of(&message)], false).await.unwrap(),
        [ClaimOutcome::Drop]
    );
}

#[tokio::test]
async fn an_old_letter_goes_with_a_heartbeat() {
    let (store, _file) = store(|config| config.results.dead = Duration::ZERO).await;
    let message = message(Priority::P4);
    let letter = crate::store::DeadLetter {
        message: message.clone(),
        kind: "test.echo".into(),
        tenant: None,
        reason: clawpool_core::task::DeadReason::Expired,
        failure: clawpool_core::task::Failure::new(clawpool_core::task::ErrorClass::Other, "too late"),
        crashes: 0,
        died_at: Timestamp::now(),
    };
    crate::store::DeadStore::add_dead_letters(&store, &[letter]).await.unwrap();
    assert_eq!(store.record(message.id).await.unwrap().unwrap().state, State::Dead);
    store.beat(&crate::store::conformance::beat_of(ProcessId::new(), Duration::ZERO)).await.unwrap();
    assert_eq!(rows(&store, "dead").await, 0);
}

/// Its dispatcher died between admitting and publishing it: no producer was told that it was taken.
#[tokio::test]
async fn a_key_is_not_held_for_ever_by_a_task_that_was_never_published() {
    let (store, _file) = store(|_| ()).await;
    let long_ago = Timestamp::from_millis(1_000);
    let lost = crate::store::conformance::message_with(Priority::P4, |task| task.expires_at = long_ago);
    store.admit(&[admission(&lost)]).await.unwrap();
    let next = message(Priority::P4);
    assert_eq!(store.admit(&[admission(&next)]).await.unwrap(), [Admitted::New]);
    let third = message(Priority::P4);
    assert_eq!(store.admit(&[admission(&third)]).await.unwrap(), [Admitted::Existing(next.id)]);
}
