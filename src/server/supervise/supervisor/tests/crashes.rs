//! Workers that die: what is cleaned up, reported and started.

use tokio::io::AsyncReadExt;

use super::*;
use crate::supervise::{Cause, CrashReport, Severity};
use clawpool_core::task::TaskId;

/// Starts a program as `exec` does, outside its own process group.
#[cfg(target_os = "linux")]
const PARENT: &str =
    "CLAWPOOL_OWNER=$CLAWPOOL_WORKER_ID setsid sh -c 'exec 3>$FOLDER/held; echo up >&3; sleep 1000; :' &
    echo $CLAWPOOL_WORKER_ID $$ $CLAWPOOL_POOL > $STARTS; exec cat";

#[tokio::test]
async fn a_killed_worker_is_cleaned_up_and_replaced_and_the_others_live() {
    let mut test = TestPool::new(3, WORKER);
    let (killed, pid) = test.started().await;
    let others = [test.started().await.0, test.started().await.0];
    signal("-KILL", &pid);
    assert_eq!(test.cleaned_up().await, killed);
    let replacement = test.started().await.0;
    assert_ne!(replacement, killed, "a new incarnation has a new id");
    let left = test.end().await;
    assert!(left.iter().all(|left| left.clean), "{left:?}");
    let ids: HashSet<_> = left.iter().map(|left| left.worker).collect();
    assert_eq!(ids, HashSet::from([others[0], others[1], replacement]));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_at_once_does_not_storm() {
    let mut test = TestPool::new(1, "exit 3");
    let start = Instant::now();
    for _ in 0..5 {
        test.cleaned_up().await;
    }
    // Half of 500 ms at least after one restart at once; then the breaker, twice.
    assert!(start.elapsed() >= Duration::from_secs(600), "{:?}", start.elapsed());
    assert!(test.events().iter().all(|event| event == "restart_breaker"), "{:?}", test.events());
    let crashes = test.entries(Topic::Crash);
    assert!(crashes.len() >= 4 && crashes[0].body["type"] == "exception", "{crashes:?}");
    test.end().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_programs_of_a_killed_worker_end_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut options) = fifo(&folder, "held");
    let mut held = BufReader::new(options.read_write(false).open_receiver(&path).unwrap());
    let script = PARENT.replace("$FOLDER", &folder.path().display().to_string());
    let mut test = TestPool::new(1, &script);
    let (worker, pid) = test.started().await;
    held.read_line(&mut String::new()).await.unwrap();
    signal("-KILL", &pid);
    assert_eq!(test.cleaned_up().await, worker);
    // The replacement's own program may hold the pipe; without a replacement no process does.
    test.started().await;
    test.shutdown.now.cancel();
    test.end().await;
    held.read_to_end(&mut Vec::new()).await.unwrap();
}

#[tokio::test]
async fn a_crash_is_reported_with_its_last_words_and_its_tasks() {
    let mut test =
        TestPool::new(1, "echo the last words >&2; echo $CLAWPOOL_WORKER_ID $$ test > $STARTS; exec cat");
    let (worker, pid) = test.started().await;
    let task = TaskId::new();
    test.store.state().running.push(task);
    signal("-SEGV", &pid);
    test.cleaned_up().await;
    test.started().await;
    while test.entries(Topic::Crash).is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let entry = test.entries(Topic::Crash).remove(0);
    let report: CrashReport = serde_json::from_value(entry.body).unwrap();
    assert_eq!((report.worker, report.pid.to_string(), entry.subject), (worker, pid, "test".into()));
    assert_eq!((report.cause, report.severity, report.tasks), (Cause::Segfault, Severity::High, vec![task]));
    assert!(
        report.exit.contains("SIGSEGV") && report.log == ["the last words"],
        "{} {:?}",
        report.exit,
        report.log
    );
    test.end().await;
}

/// Kills from outside are no task's doing.
#[tokio::test]
async fn the_store_learns_what_a_worker_was_polling_as_it_crashed() {
    let task = TaskId::new();
    let script = format!("touch $CLAWPOOL_POLLING/{task}; {WORKER}");
    for (name, polled) in [("-ABRT", Some(vec![task])), ("-KILL", None)] {
        let mut test = TestPool::new(1, &script);
        let (worker, pid) = test.started().await;
        signal(name, &pid);
        assert_eq!(test.cleaned_up().await, worker);
        assert_eq!(test.store.state().polled, [polled], "{name}");
        test.end().await;
    }
}
