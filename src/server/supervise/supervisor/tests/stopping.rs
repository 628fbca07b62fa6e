//! How a pool ends.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_program_that_cannot_start_does_not_hold_up_shutdown() {
    let test = TestPool::new(1, WORKER);
    let supervisor = Supervisor::new(pool(2, "no-such-program"), test.store.clone(), test.path.clone());
    let shutdown = Shutdown::new();
    let (left, ()) = tokio::join!(supervisor.run(&shutdown), async {
        sleep(Duration::from_secs(600)).await;
        shutdown.drain.cancel();
    });
    assert!(left.is_empty());
    let events: HashSet<_> = test.events().into_iter().collect();
    assert_eq!(events, HashSet::from(["cannot_start".to_owned(), "restart_breaker".to_owned()]));
    assert!(test.events().len() <= 20, "people are not flooded");
    test.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_outlasts_its_grace_is_killed_and_cleaned_up() {
    let mut test = TestPool::new(1, DEAF);
    let worker = test.started().await.0;
    test.shutdown.drain.cancel();
    assert_eq!(test.cleaned_up().await, worker);
    let left = test.end().await;
    assert!(left[0].killed && !left[0].clean && left[0].how.contains("SIGKILL"), "{left:?}");
}

#[tokio::test]
async fn the_second_signal_kills_at_once() {
    let mut test = TestPool::new(1, DEAF);
    test.started().await;
    test.shutdown.now.cancel();
    assert!(test.running.await.unwrap()[0].killed);
}
