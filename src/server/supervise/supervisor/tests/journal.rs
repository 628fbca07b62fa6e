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
    test.servers.full.store(true, Ordering::SeqCst);
    signal("-KILL", &pid);
    test.cleaned_up().await;
    test.started().await;
    assert!(test.servers.journal.lock().unwrap().is_empty());
    test.servers.full.store(false, Ordering::SeqCst);
    while test.servers.journal.lock().unwrap().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(test.servers.journal.lock().unwrap()[0].topic, Topic::Crash);
    test.end().await;
}

/// Alerts as well as reports, each once, in their order.
#[tokio::test]
async fn alerts_of_an_outage_are_written_as_soon_as_the_store_takes_them() {
    let restart = Restart { policy: RestartPolicy::Manual, ..Restart::default() };
    let mut test = TestPool::with(WORKER, PoolSpec { restart, ..pool(1, "sh") });
    let (_, pid) = test.started().await;
    test.servers.full.store(true, Ordering::SeqCst);
    signal("-KILL", &pid);
    test.cleaned_up().await;
    test.until(|replicas| replicas.iter().all(|replica| !replica.up)).await;
    while test.servers.refusals.load(Ordering::SeqCst) < 3 {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(test.servers.journal.lock().unwrap().is_empty());
    test.servers.full.store(false, Ordering::SeqCst);
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
    test.servers.put_note(None, &format!("{RESTART}test"), Bytes::new(), None).await.unwrap();
    let snapshot = TestPool::snapshot(test.servers.clone());
    tokio::select! {
        started = test.started() => drop(started),
        never = snapshot => match never {},
    }
    test.end().await;
}
