use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::testing::{self, Attempt};

const LIMIT: usize = 4096;

fn handler(spec: config::Exec) -> Exec {
    let worker = config::WorkerSettings { stop_grace: Duration::from_secs(1), ..Default::default() };
    Exec::new(spec, LIMIT, &worker).unwrap()
}

fn shell(script: &str) -> Exec {
    handler(testing::exec(&["sh", "-c", script]))
}

async fn run(script: &str) -> Result<Payload, Failure> {
    shell(script).run(Attempt::new(&"x").context).await
}

async fn answer(script: &str) -> Value {
    run(script).await.unwrap().decode().unwrap()
}

async fn failure(script: &str) -> Failure {
    run(script).await.unwrap_err()
}

#[tokio::test]
async fn the_task_goes_in_and_the_result_comes_out() {
    let attempt = Attempt::new(&json!({"to": "a@b.c", "count": 3}));
    let seen: Value = shell("cat").run(attempt.context.clone()).await.unwrap().decode().unwrap();
    let task = &attempt.context.task;
    assert_eq!(seen["id"], json!(task.id));
    assert_eq!(seen["kind"], "test.kind");
    assert_eq!(seen["payload"], json!({"to": "a@b.c", "count": 3}));
    assert_eq!((&seen["attempt"], &seen["tenant"]), (&json!(2), &json!("acme")));
    assert_eq!((&seen["trace"], &seen["trace_state"]), (&json!(task.trace), &json!(task.trace_state)));
    let environment =
        shell("printf '\"%s\"' \"$TRACEPARENT $TRACESTATE\"").run(attempt.context.clone()).await;
    let own = format!("{} {}", task.trace.as_ref().unwrap(), task.trace_state.as_ref().unwrap());
    assert_eq!(environment.unwrap().decode::<String>().unwrap(), own);
    assert!(seen["deadline"].is_string());
}

#[tokio::test]
async fn silence_is_null_and_unread_input_blocks_nothing() {
    let attempt = Attempt::new(&"x".repeat(1 << 20));
    assert!(shell("exec <&-; sleep 0").run(attempt.context.clone()).await.unwrap().is_null());
    assert!(shell(":").run(attempt.context).await.unwrap().is_null());
}

#[tokio::test]
async fn inv10_the_environment_holds_what_was_named_and_no_more() {
    let mut spec = testing::exec(&["env"]);
    spec.env = BTreeMap::from([("GIVEN".to_owned(), "yes".to_owned())]);
    spec.pass_env = vec!["CARGO_PKG_NAME".to_owned(), "NOT_SET_ANYWHERE".to_owned()];
    let listing: String = handler(spec).run(Attempt::new(&"x").context).await.unwrap().decode().unwrap();
    assert!(listing.contains("GIVEN=yes") && !listing.contains("CARGO_MANIFEST_DIR"), "{listing}");
    let secret = "printf '\"%s\"' \"${CARGO_MANIFEST_DIR-none} ${CLAWPOOL_ATTEMPT} ${PATH:+path}\"";
    assert_eq!(answer(secret).await, json!("none 2 path"));
    let mut spec = testing::exec(&["sh", "-c", "printf '\"%s\"' \"$GIVEN $CARGO_PKG_NAME\""]);
    spec.env = BTreeMap::from([("GIVEN".to_owned(), "yes".to_owned())]);
    spec.pass_env = vec!["CARGO_PKG_NAME".to_owned()];
    let seen: Value = handler(spec).run(Attempt::new(&"x").context).await.unwrap().decode().unwrap();
    assert_eq!(seen, json!("yes clawpool-handlers"));
}

#[tokio::test]
async fn exit_codes_say_whether_to_try_again() {
    let temporary = failure("echo 'no luck' >&2; exit 75").await;
    assert_eq!((temporary.class, temporary.fatal), (ErrorClass::ServiceUnavailable, false));
    assert_eq!(temporary.message, "the program ended with exit code 75\nno luck");
    assert_eq!(temporary.exit, Some(75));
    assert_eq!(temporary.stderr().collect::<Vec<_>>(), ["no luck"]);
    let permanent = failure("exit 65").await;
    assert_eq!((permanent.class, permanent.fatal), (ErrorClass::Other, true));
    let unnamed = failure("exit 1").await;
    assert_eq!((unnamed.class, unnamed.fatal), (ErrorClass::Other, false));
}

#[tokio::test]
async fn an_error_on_standard_output_says_it_more_precisely() {
    let script =
        r#"echo '{"error":{"class":"rate_limit","message":"slow down","retry_after":"2s"}}'; exit 1"#;
    let refined = failure(script).await;
    assert_eq!((refined.class, refined.retry_after), (ErrorClass::RateLimit, Some(Duration::from_secs(2))));
    assert!(refined.message.starts_with("slow down"));
}

#[tokio::test]
async fn signals_are_named() {
    let fault = failure("kill -SEGV $$").await;
    assert_eq!(fault.class, ErrorClass::Panic);
    assert!(fault.message.contains("SIGSEGV (11)"), "{fault}");
    assert_eq!(failure("kill -9 $$").await.class, ErrorClass::Resource);
}

#[tokio::test]
async fn text_on_standard_output_is_the_result() {
    assert_eq!(answer("echo Done; echo 'by the way' >&2").await, json!("Done"));
    assert_eq!(answer(r#"printf '\357\273\277{"sent": 1}'"#).await, json!({"sent": 1}));
}

#[tokio::test]
async fn text_of_a_program_that_failed_is_no_result() {
    let fault = failure("echo Traceback; exit 1").await;
    assert_eq!(
        (fault.class, fault.message.as_str()),
        (ErrorClass::Other, "the program ended with exit code 1")
    );
}

#[tokio::test]
async fn a_flood_is_cut_off_while_it_is_read() {
    let fault = failure("exec head -c 1000000000 /dev/zero").await;
    assert!(fault.fatal && fault.message.contains("more than 4096 bytes"), "{fault}");
    let fault = failure("yes complaint >&2 & head -c 5000 /dev/zero; wait").await;
    assert!(fault.fatal && fault.message.len() < 4096, "{fault}");
}

#[tokio::test]
async fn progress_lines_reach_the_operators() {
    let attempt = Attempt::new(&"x");
    let script = "echo 'progress: half way' >&2; echo done >&2; exit 1";
    let fault = shell(script).run(attempt.context.clone()).await.unwrap_err();
    assert!(fault.message.ends_with("\ndone"), "{fault}");
    assert_eq!(attempt.news().await, (attempt.context.task.id, "half way".to_owned()));
}

#[tokio::test]
async fn a_missing_program_is_a_fault_of_the_configuration() {
    let fault =
        handler(testing::exec(&["no-such-program"])).run(Attempt::new(&"x").context).await.unwrap_err();
    assert_eq!(fault.class, ErrorClass::Configuration);
    assert!(fault.message.contains("\"no-such-program\""), "{fault}");
    let fault = handler(testing::exec(&["/etc/passwd"])).run(Attempt::new(&"x").context).await.unwrap_err();
    assert_eq!(fault.class, ErrorClass::Configuration);
}

/// Says when it stands, in progress; every process of it holds `pipe` open.
async fn stubborn(
    pipe: &std::path::Path,
    attempt: &Attempt,
) -> tokio::task::JoinHandle<Result<Payload, Failure>> {
    let nested = "trap '' TERM; sh -c \"trap '' TERM; echo progress: up >&2; sleep 1000; :\"; :";
    let mut spec =
        testing::exec(&["sh", "-c", &format!("trap '' TERM; exec 3>\"$PIPE\"; sh -c '{nested}'; :")]);
    spec.env.insert("PIPE".into(), pipe.display().to_string());
    let context = attempt.context.clone();
    let running = tokio::spawn(async move { handler(spec).run(context).await });
    assert_eq!(attempt.news().await.1, "up");
    running
}

fn fifo(folder: &tempfile::TempDir) -> (std::path::PathBuf, tokio::net::unix::pipe::Receiver) {
    let path = folder.path().join("held");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let end = tokio::net::unix::pipe::OpenOptions::new().open_receiver(&path).unwrap();
    (path, end)
}

/// Returns when no process holds the other end any more.
async fn all_gone(mut end: tokio::net::unix::pipe::Receiver) {
    use tokio::io::AsyncReadExt;
    end.read_to_end(&mut Vec::new()).await.unwrap();
}

#[tokio::test]
async fn three_levels_that_ignore_sigterm_die_after_the_grace() {
    let folder = tempfile::tempdir().unwrap();
    let (path, end) = fifo(&folder);
    let attempt = Attempt::new(&"x");
    let running = stubborn(&path, &attempt).await;
    attempt.cancel();
    let fault = running.await.unwrap().unwrap_err();
    assert!(fault.message.contains("SIGKILL"), "{fault}");
    all_gone(end).await;
}

#[tokio::test]
async fn a_dropped_attempt_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (path, end) = fifo(&folder);
    let attempt = Attempt::new(&"x");
    let running = stubborn(&path, &attempt).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    all_gone(end).await;
}

#[tokio::test]
async fn the_deadline_stops_the_program() {
    let attempt = Attempt::with_timeout(&"x", Duration::from_millis(50));
    let fault = shell("sleep 1000").run(attempt.context).await.unwrap_err();
    assert_eq!(fault.class, ErrorClass::Timeout);
    assert!(fault.message.contains("deadline") && fault.message.contains("SIGTERM"), "{fault}");
}

/// A program that moves a part of itself into a session of its own; that part holds `PIPE` open.
fn leaver(pipe: &std::path::Path, then: &str) -> Exec {
    let script = format!(
        "setsid sh -c 'exec 3>\"$PIPE\"; echo progress: up >&2; : >\"$PIPE.up\"; sleep 1000' & {then}"
    );
    let mut spec = testing::exec(&["sh", "-c", &script]);
    spec.env.insert("PIPE".into(), pipe.display().to_string());
    handler(spec)
}

#[tokio::test]
async fn the_deadline_stops_what_left_the_tree_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let (path, end) = fifo(&folder);
    let attempt = Attempt::new(&"x");
    let context = attempt.context.clone();
    let running = tokio::spawn(async move { leaver(&path, "wait").run(context).await });
    attempt.news().await;
    attempt.cancel();
    assert_eq!(running.await.unwrap().unwrap_err().class, ErrorClass::Timeout);
    all_gone(end).await;
}

#[tokio::test]
async fn what_left_the_tree_does_not_outlive_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let (path, end) = fifo(&folder);
    let leaver = leaver(&path, "until [ -e \"$PIPE.up\" ]; do sleep 0.01; done");
    let ended = leaver.run(Attempt::new(&"x").context);
    assert!(timeout(Duration::from_secs(30), ended).await.is_ok());
    all_gone(end).await;
}

#[tokio::test]
async fn a_thread_that_ends_stops_no_program() {
    let runtime = tokio::runtime::Handle::current();
    let started = std::thread::spawn(move || {
        let _entered = runtime.enter();
        let mut command = tokio::process::Command::new("sh");
        command.args(["-c", "read line; exit 7"]).stdin(std::process::Stdio::piped());
        Tree::spawn(command).unwrap()
    });
    let mut tree = started.join().unwrap();
    let line = tree.stdin();
    assert!(timeout(Duration::from_millis(100), tree.wait()).await.is_err(), "it waits for its line");
    drop(line);
    assert_eq!(tree.wait().await.unwrap().code(), Some(7));
}

#[tokio::test]
async fn a_program_may_finish_when_told_to_stop() {
    let attempt = Attempt::new(&"x");
    let script = "trap 'echo 5; exit 0' TERM; echo progress: up >&2; while :; do sleep 0.01; done";
    let context = attempt.context.clone();
    let running = tokio::spawn(async move { shell(script).run(context).await });
    attempt.news().await;
    attempt.cancel();
    assert_eq!(running.await.unwrap().unwrap(), Payload::encode(&5).unwrap());
}

#[tokio::test]
async fn what_runs_on_in_the_background_ends_with_the_program() {
    assert_eq!(answer("sleep 1000 & echo 1").await, json!(1));
}
