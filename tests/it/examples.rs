//! The examples that users copy.

use std::process::Stdio;

use clawpool_core::task::{State, TaskId};
use tokio::process::Command;

use crate::support::{Event, Servers, Settings, System, in_time, variable};

#[tokio::test]
async fn producers_over_http_in_python_and_node() {
    let system = System::embedded(1, Settings::quick()).await;
    let python = variable("CLAWPOOL_TEST_PYTHON");
    for (program, script) in [(python.as_str(), "python/http_producer.py"), ("node", "node/producer.mjs")] {
        let lines =
            run(program, &[script, &system.api.url, "it.example", r#"{"note": "from an example"}"#]).await;
        let id: TaskId = lines[0].parse().unwrap();
        assert_eq!(lines[1..], ["completed"], "{script}");
        assert_eq!(system.ledger.times(id, Event::Done), 1, "{script}");
    }
    system.stop().await;
}

#[tokio::test]
async fn producer_over_amqp_in_python() {
    let servers = Servers::shared();
    let system = System::apart(1, servers.settings()).await;
    servers.amqp().await;
    let python = variable("CLAWPOOL_TEST_PYTHON");
    let lines =
        run(&python, &["python/amqp_producer.py", &servers.rabbitmq, "it.example", "{}", &servers.prefix])
            .await;
    let id: TaskId = lines[0].parse().unwrap();
    system.ledger.happened(id, Event::Done, 1).await;
    assert_eq!(system.api.finished(id).await.state, State::Completed);
    system.stop().await;
}

/// The lines that an example prints.
async fn run(program: &str, args: &[&str]) -> Vec<String> {
    let mut command = Command::new(program);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples")).args(args);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = in_time(&format!("{program} {args:?}"), command.output()).await.unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
