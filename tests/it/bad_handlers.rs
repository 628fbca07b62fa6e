//! Handlers that misbehave in every way there is: the task is retried or dead by the table, the reason can be
//! read, and no other task is lost.

use std::{
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use clawpool_core::{
    config::Config,
    task::{DeadReason, ErrorClass, Failure, State, TaskId},
};
use clawpool_engine::worker::{Context, Worker};
use clawpool_server::telemetry;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::support::{Event, Settings, System, balance, task};

type Ended = Result<(), Failure>;

/// Not a test of its own: the worker process that the next tests let loose.
#[tokio::test]
async fn worker() {
    if std::env::var_os("CLAWPOOL_WORKER_ID").is_none() {
        return;
    }
    let config = Config::load(std::env::var_os("CLAWPOOL_CONFIG").as_ref().map(Path::new), &[]).unwrap();
    telemetry::start_logs(&config.log).unwrap();
    let mut worker = Worker::builder();
    for (kind, handler) in clawpool_handlers::from_config(&config).unwrap() {
        worker = worker.handler_object(kind, handler);
    }
    worker
        .handler("bad.panic", panics)
        .handler("bad.abort", aborts)
        .handler("bad.thread", aborts_elsewhere)
        .handler("bad.busy", is_busy)
        .handler("bad.overflow", overflows)
        .handler("bad.loop", loops)
        .config(config)
        .run()
        .await
        .unwrap();
}

async fn panics(context: Context, _: IgnoredAny) -> Ended {
    if context.attempt() == 1 {
        panic!("the handler's own words");
    }
    Ok(())
}

async fn aborts(_: Context, _: IgnoredAny) -> Ended {
    std::process::abort()
}

/// A supervisor that looks at what is being polled does not see it.
async fn aborts_elsewhere(_: Context, _: IgnoredAny) -> Ended {
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_millis(20));
        std::process::abort()
    });
    std::future::pending().await
}

/// A supervisor that looks at what is being polled sees it.
async fn is_busy(_: Context, _: IgnoredAny) -> Ended {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        std::thread::sleep(Duration::from_millis(20));
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn overflows(_: Context, _: IgnoredAny) -> Ended {
    fn deeper(depth: u64) -> u64 {
        let frame = black_box([depth; 64]);
        if depth == u64::MAX { 0 } else { deeper(depth + 1) + frame[63] }
    }
    black_box(deeper(0));
    Ok(())
}

async fn loops(_: Context, _: IgnoredAny) -> Ended {
    loop {
        std::hint::spin_loop();
    }
}

async fn system(workers: usize) -> System {
    system_with(Settings::quick(), workers).await
}

/// Workers that have the handlers above.
pub(crate) async fn system_with(settings: Settings, workers: usize) -> System {
    let this = std::env::current_exe().unwrap();
    let command = [this.to_str().unwrap(), "--exact", "bad_handlers::worker", "--nocapture"];
    System::embedded(workers, settings.workers(workers, &command)).await
}

#[tokio::test]
async fn a_panic_is_a_failure_like_any_other() {
    let system = system(1).await;
    let id = system.api.enqueue(json!({"kind": "bad.panic"})).await;
    let record = system.api.finished(id).await;
    assert_eq!((record.state, record.attempt, record.crashes), (State::Completed, 1, 0), "{record:?}");
    let failure = record.failure.unwrap();
    assert_eq!(failure.class, ErrorClass::Panic);
    assert!(failure.message.contains("the handler's own words"), "{failure}");
    system.stop().await;
}

#[tokio::test]
async fn inv_3_a_task_that_kills_its_workers_is_dead_after_the_third() {
    let system = system(1).await;
    for kind in ["bad.abort", "bad.overflow"] {
        let id = system.api.enqueue(json!({"kind": kind, "priority": "P1"})).await;
        let record = system.api.finished(id).await;
        assert_eq!((record.state, record.attempt, record.crashes), (State::Dead, 0, 3), "{kind}: {record:?}");
        assert_eq!(system.api.letter(id).await.letter.reason, DeadReason::Poison, "{kind}");
        let shown = reason(&system, id).await;
        assert!(shown.contains("poison") && shown.contains("3 workers died while they ran it"), "{shown}");
    }
    system.stop().await;
}

/// Others ran beside it, and who it was has to be found out.
#[tokio::test]
async fn inv_3_bystanders_of_a_task_that_kills_its_workers_complete() {
    let system = system(2).await;
    for kind in ["bad.abort", "bad.overflow"] {
        let beside = (0..6).map(|n| task(&format!("P{n}"), json!({"ms": 200})));
        let beside = system.api.enqueue_all(beside.collect()).await;
        let id = system.api.enqueue(json!({"kind": kind, "priority": "P1"})).await;
        let record = system.api.finished(id).await;
        assert_eq!((record.state, record.attempt), (State::Dead, 0), "{kind}: {record:?}");
        assert!((3..=8).contains(&record.crashes), "{kind}: {record:?}");
        let balance = balance(&system.api, &system.ledger, &beside, 0).await;
        assert_eq!(balance.completed, 6, "{balance:?}");
    }
    system.stop().await;
}

/// Nothing can end such a handler but the end of its process. The worker gives the attempt up, lets the
/// others finish and leaves; its supervisor starts another one.
#[tokio::test]
async fn recovery_from_a_handler_that_never_ends() {
    let settings = Settings::quick().with("worker.stop_grace = \"500ms\"");
    let this = std::env::current_exe().unwrap();
    let command = [this.to_str().unwrap(), "--exact", "bad_handlers::worker", "--nocapture"];
    let system = System::embedded(1, settings.workers(1, &command)).await;
    let first = system.api.workers().await[0].beat.worker;
    let beside = system.api.enqueue(task("P1", json!({"hold": "beside"}))).await;
    system.ledger.happened(beside, Event::Start, 1).await;
    let endless = json!({"kind": "bad.loop", "timeout": "300ms", "max_attempts": 1});
    let id = system.api.enqueue(endless).await;
    let begin = std::time::Instant::now();
    let record = system.api.finished(id).await;
    println!("recovery: start of a handler that never ends to the end of its attempt: {:?}", begin.elapsed());
    assert_eq!((record.state, record.attempt, record.crashes), (State::Dead, 1, 0), "{record:?}");
    assert!(reason(&system, id).await.contains("the handler hung"));
    system.ledger.open("beside");
    assert_eq!(system.api.finished(beside).await.state, State::Completed);
    let after = system.api.enqueue(task("P1", json!({}))).await;
    assert_eq!(system.api.finished(after).await.state, State::Completed);
    println!("recovery: … to the first task of the worker that replaced it: {:?}", begin.elapsed());
    assert!(
        system.api.workers().await.iter().all(|worker| worker.beat.worker != first),
        "it should have left"
    );
    assert_eq!(system.ledger.attempts(beside), [1]);
    system.stop().await;
}

/// What an operator reads.
async fn reason(system: &System, id: TaskId) -> String {
    system.cli().ok(&["dead", "show", &id.to_string()]).await
}

#[cfg(unix)]
#[tokio::test]
async fn programs_that_misbehave_cost_their_own_attempts_alone() {
    let settings = Settings::quick()
        .with("worker.stop_grace = \"500ms\"")
        .shell("bad.flood", "cat >/dev/null; head -c 1000000000 /dev/zero")
        .shell("bad.stubborn", "trap '' TERM; while :; do sleep 0.1; done")
        .shell("bad.later", "cat >/dev/null; echo come back later >&2; exit 75")
        .shell("bad.never", "cat >/dev/null; echo I will never do that >&2; exit 65");
    let system = System::embedded(1, settings).await;
    let cases = [
        ("bad.flood", DeadReason::Fatal, 1, "wrote more than 1048576 bytes"),
        ("bad.stubborn", DeadReason::Exhausted, 2, "ran past its deadline"),
        ("bad.later", DeadReason::Exhausted, 4, "come back later"),
        ("bad.never", DeadReason::Fatal, 1, "I will never do that"),
    ];
    let mut ids = Vec::new();
    for (kind, ..) in cases {
        // Only the stubborn one needs its deadline; the flood takes a while on a slow machine.
        let timeout = if kind == "bad.stubborn" { "300ms" } else { "60s" };
        ids.push(system.api.enqueue(json!({"kind": kind, "timeout": timeout})).await);
    }
    for ((kind, reason, attempts, words), id) in cases.into_iter().zip(ids) {
        let record = system.api.finished(id).await;
        assert_eq!(
            (record.state, record.attempt, record.crashes),
            (State::Dead, attempts, 0),
            "{kind}: {record:?}"
        );
        assert_eq!(system.api.letter(id).await.letter.reason, reason, "{kind}");
        let shown = self::reason(&system, id).await;
        assert!(shown.contains(words), "{kind}: {shown}");
    }
    assert_eq!(system.api.workers().await.len(), 1);
    assert!(!system.front.said("worker ended unasked"), "a program took its worker down");
    system.stop().await;
}
