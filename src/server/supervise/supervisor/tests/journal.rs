//! Reports and alerts reach the journal, and an operator answers.

use bytes::Bytes;

use super::*;
use clawpool_backends::store::NoteStore;
use clawpool_core::config::RestartPolicy;

/// Its successor does not wait for that.
#[tokio::test]
async fn a_crash_report_is_written_as_soon_as_the_store_takes_it() {
    let mut test = TestPool::with(WORKER, pool(1, "sh"));
    let (_, pid) = test.started().await;
    test.store.state().full = true;
    signal("-KILL", &pid);
    test.cleaned_up().await;
    test.started().await;
    assert!(test.store.state().journal.is_empty());
    test.store.state().full = false;
    while test.store.state().journal.is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(test.store.state().journal[0].topic, Topic::Crash);
    test.end().await;
}

/// Not the first start of a worker: what took the place of one that had ended.
#[tokio::test]
async fn each_restart_is_in_the_journal() {
    let mut test = TestPool::with(WORKER, pool(1, "sh"));
    let (first, pid) = test.started().await;
    assert!(test.entries(Topic::Restart).is_empty());
    signal("-KILL", &pid);
    test.cleaned_up().await;
    test.started().await;
    while test.entries(Topic::Restart).is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(test.entries(Topic::Restart)[0].body["after"], first.to_string());
    test.end().await;
}

/// Alerts as well as reports, each once, in their order.
#[tokio::test]
async fn alerts_of_an_outage_are_written_as_soon_as_the_store_takes_them() {
    let restart = Restart { policy: RestartPolicy::Manual, ..Restart::default() };
    let mut test = TestPool::with(WORKER, PoolSpec { restart, ..pool(1, "sh") });
    let (_, pid) = test.started().await;
    test.store.state().full = true;
    signal("-KILL", &pid);
    test.cleaned_up().await;
    test.until(|replicas| replicas.iter().all(|replica| !replica.up)).await;
    while test.store.state().refused_entries < 3 {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(test.store.state().journal.is_empty());
    test.store.state().full = false;
    while test.events() != ["restart_held"] {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(test.entries(Topic::Crash).len(), 1);
    test.end().await;
}

#[tokio::test]
async fn a_manual_pool_waits_for_its_operator() {
    let restart = Restart { policy: RestartPolicy::Manual, ..Restart::default() };
    let mut test = TestPool::with(WORKER, PoolSpec { restart, ..pool(1, "sh") });
    let (_, pid) = test.started().await;
    signal("-KILL", &pid);
    test.cleaned_up().await;
    while test.events() != ["restart_held"] {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(test.supervisor.replicas().iter().all(|replica| !replica.up));
    test.store.put_note(None, &format!("{RESTART}test"), Bytes::new(), None).await.unwrap();
    let snapshot = test.snapshot();
    tokio::select! {
        started = test.started() => drop(started),
        never = snapshot => match never {},
    }
    test.end().await;
}
