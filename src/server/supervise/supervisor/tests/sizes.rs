//! A pool becomes larger and smaller, and its workers make way for new ones.

use super::*;
use clawpool_backends::store::{Done, Usage};

#[tokio::test]
async fn a_pool_grows_and_shrinks_and_a_busy_worker_is_let_finish() {
    // Goes on for as long as the test holds its pipe, whatever is asked of it.
    let busy = "echo $CLAWPOOL_WORKER_ID $$ test > $STARTS; cat; read line < $FOLDER/work; exit 0";
    let mut test = TestPool::with(busy, PoolSpec { grace: Duration::from_secs(60), ..pool(1, "sh") });
    let (path, mut options) = fifo(&test._folder, "work");
    let first = test.started().await.0;
    test.supervisor.start(2);
    let others = [test.started().await.0, test.started().await.0];
    test.until(|replicas| {
        replicas.len() == 3 && replicas.iter().all(|replica| replica.up && !replica.draining)
    })
    .await;
    test.supervisor.drain(&[first]);
    test.until(|replicas| replicas.iter().any(|replica| replica.worker == first && replica.draining)).await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(test.supervisor.replicas().len(), 3, "it still works");
    let mut work = options.read_write(true).open_sender(&path).unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut work, b"done\n").await.unwrap();
    test.until(|replicas| replicas.len() == 2).await;
    let left: HashSet<_> = test.supervisor.replicas().iter().map(|replica| replica.worker).collect();
    assert_eq!(left, HashSet::from(others), "and it was not replaced");
    assert!(test.done.try_recv().is_err(), "no clean-up was needed");
    test.shutdown.now.cancel();
    test.end().await;
}

#[tokio::test]
async fn an_emergency_replaces_workers_at_once() {
    let mut test = TestPool::new(2, DEAF);
    let old = [test.started().await.0, test.started().await.0];
    test.supervisor.replace(&old);
    let new = [test.started().await.0, test.started().await.0];
    assert!(new.iter().all(|worker| !old.contains(worker)));
    test.shutdown.now.cancel();
    test.end().await;
}

#[tokio::test]
async fn a_worker_that_has_run_its_tasks_is_replaced() {
    let recycle = Recycle { max_tasks: Some(10), max_memory: None };
    is_recycled(recycle, done(10), 0, "recycled", "max_tasks is 10").await;
}

#[tokio::test]
async fn a_worker_that_leaks_is_replaced() {
    let recycle = Recycle { max_tasks: None, max_memory: Some(1 << 20) };
    is_recycled(recycle, done(1), 2 << 20, "over_memory", "max_memory").await;
}

fn done(tasks: u64) -> Done {
    Done { tasks, run: Duration::ZERO }
}

/// A worker that exceeded a limit leaves, and another one is there at once.
async fn is_recycled(recycle: Recycle, done: Done, memory: u64, event: &str, reason: &str) {
    let mut test = TestPool::with(WORKER, PoolSpec { recycle, ..pool(1, "sh") });
    let old = test.started().await.0;
    if let Some(info) = test.store.state().workers.get_mut(&old) {
        info.beat.done = done;
        info.beat.usage = Some(Usage { cpu: 1.0, memory });
    }
    let snapshot = test.snapshot();
    let new = tokio::select! {
        new = test.started() => new.0,
        never = snapshot => match never {},
    };
    assert_ne!(old, new);
    test.until(|replicas| replicas.len() == 1 && replicas[0].worker == new).await;
    while test.events().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let notice = test.entries(Topic::Alert).remove(0).body;
    assert!(notice["event"] == event && notice["text"].as_str().unwrap().contains(reason), "{notice}");
    assert!(test.entries(Topic::Crash).is_empty());
    test.end().await;
}
