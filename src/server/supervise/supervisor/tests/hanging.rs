//! Workers that live and do not answer.

use super::*;

#[tokio::test]
async fn a_stopped_worker_is_found_hanging_and_replaced() {
    let mut test = TestPool::new(2, WORKER);
    let (killed, pid) = test.started().await;
    let healthy = test.started().await.0;
    test.silent.lock().unwrap().insert(killed);
    signal("-STOP", &pid);
    // Until the clean-up; the replacement must not be checked before the test knows it.
    let snapshot = test.snapshot();
    tokio::select! {
        cleaned = test.cleaned_up() => assert_eq!(cleaned, killed),
        never = snapshot => match never {},
    }
    let replacement = test.started().await.0;
    let ids: HashSet<_> = test.end().await.iter().map(|left| left.worker).collect();
    assert_eq!(ids, HashSet::from([healthy, replacement]));
}

/// All workers are silent because none can write.
#[tokio::test]
async fn a_store_that_takes_no_writes_makes_no_worker_look_dead() {
    let mut test = TestPool::new(2, WORKER);
    let workers = [test.started().await.0, test.started().await.0];
    test.store.state().full = true;
    test.silent.lock().unwrap().extend(workers);
    let snapshot = tokio::spawn(test.snapshot());
    // Each refusal is a quarter of a lease after the one before.
    while test.store.state().refused_notes < 12 {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(test.done.try_recv().is_err(), "a worker was taken for dead");
    test.store.state().full = false;
    let cleaned = HashSet::from([test.cleaned_up().await, test.cleaned_up().await]);
    assert_eq!(cleaned, HashSet::from(workers), "now it is their own silence");
    snapshot.abort();
    test.shutdown.now.cancel();
    test.end().await;
}

/// It may be what keeps the others from writing.
#[tokio::test]
async fn a_worker_that_its_system_stopped_ends_although_the_store_takes_no_writes() {
    let mut test = TestPool::new(2, WORKER);
    let (stopped, pid) = test.started().await;
    let other = test.started().await.0;
    test.store.state().full = true;
    test.silent.lock().unwrap().extend([stopped, other]);
    signal("-STOP", &pid);
    let snapshot = tokio::spawn(test.snapshot());
    assert_eq!(test.cleaned_up().await, stopped);
    test.store.state().full = false;
    test.silent.lock().unwrap().clear();
    snapshot.abort();
    test.started().await;
    let supervisor = test.supervisor.clone();
    assert!(supervisor.has_ended(stopped) && !supervisor.has_ended(other));
    let left = test.end().await;
    assert!(left.iter().any(|left| left.worker == other && left.clean), "{left:?}");
    assert!(supervisor.has_ended(other));
}
