use std::{io::Write, time::Duration};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::scripted::{Answer, Scripted};
use crate::cli::{
    enqueue_file::{EnqueueFile, Summary},
    failure::{Exit, Failure},
};
use clawpool_engine::client::Client;

fn accepted(task: &Value) -> Value {
    json!({"id": task["id"], "priority": "P4", "queue": "normal.p4", "duplicate": false})
}

fn all(body: &Value) -> Option<(u16, Value)> {
    Some((200, body.as_array().unwrap().iter().map(accepted).collect()))
}

fn busy(_: &Value) -> Option<(u16, Value)> {
    Some((503, json!({"code": "CP-1203", "message": "queue normal.p4 is full", "retry_after_s": 0})))
}

fn every_other(body: &Value) -> Option<(u16, Value)> {
    let refused = json!({"error": {"code": "CP-1203", "message": "full", "retry_after_s": 0}});
    let lines = body.as_array().unwrap().iter().enumerate();
    Some((200, lines.map(|(at, task)| if at % 2 == 0 { accepted(task) } else { refused.clone() }).collect()))
}

fn too_large(_: &Value) -> Option<(u16, Value)> {
    Some((413, json!({"code": "CP-1407", "message": "more than 2 tasks in one request"})))
}

fn wrong(body: &Value) -> Option<(u16, Value)> {
    let refused = json!({"error": {"code": "CP-1101", "message": "a task needs a kind", "field": "kind"}});
    Some((200, vec![refused; body.as_array().unwrap().len()].into()))
}

fn lost(_: &Value) -> Option<(u16, Value)> {
    None
}

/// Sends `lines` to a server that follows `script`: how it ended, what was counted and what the server heard.
async fn send(lines: &str, script: &[Answer]) -> (Result<(), Failure>, Summary, Vec<Vec<Value>>) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    let server = Scripted::start(script.to_vec()).await;
    let client = Client::new(&server.url, None).unwrap();
    let mut sender = EnqueueFile::new(client, Duration::from_secs(60));
    let ended = sender.send(file.path()).await;
    let heard = server.heard().await.into_iter().map(|body| body.as_array().unwrap().clone()).collect();
    (ended, sender.summary(), heard)
}

const FOUR: &str = "{\"kind\":\"a\"}\n{\"kind\":\"b\"}\n{\"kind\":\"c\"}\n{\"kind\":\"d\"}\n";

#[tokio::test]
async fn a_busy_server_is_asked_again_with_the_same_tasks() {
    let (ended, summary, heard) = send(FOUR, &[busy, all]).await;
    ended.unwrap();
    assert_eq!(summary, Summary { accepted: 4, ..Summary::default() });
    assert_eq!(heard[0], heard[1]);
}

#[tokio::test]
async fn only_what_was_not_taken_is_sent_again() {
    let (ended, summary, heard) = send(FOUR, &[every_other, all]).await;
    ended.unwrap();
    assert_eq!(summary, Summary { accepted: 4, ..Summary::default() });
    assert_eq!(heard[1], [heard[0][1].clone(), heard[0][3].clone()]);
}

#[tokio::test]
async fn a_server_with_smaller_limits_gets_smaller_batches() {
    let (ended, summary, heard) = send(FOUR, &[too_large, all, all]).await;
    ended.unwrap();
    assert_eq!(summary.accepted, 4);
    assert_eq!([heard[1].clone(), heard[2].clone()].concat(), heard[0]);
}

/// INV-1 from the other side: an answer that was lost adds nothing twice, since the ids are the same.
#[tokio::test]
async fn a_lost_answer_is_asked_for_again() {
    let lines = format!("{FOUR}{}", "{\"kind\":\"a\"}\n".repeat(1000));
    let (ended, summary, heard) = send(&lines, &[all, lost, all]).await;
    ended.unwrap();
    assert_eq!(summary.accepted, 1004);
    assert_eq!((heard[0].len(), &heard[1]), (1000, &heard[2]));
}

#[tokio::test]
async fn refused_lines_are_counted_and_nothing_is_hidden() {
    let (ended, summary, _) = send("{\"kind\":\"\"}\nnonsense\n", &[wrong]).await;
    ended.unwrap();
    assert_eq!(summary, Summary { refused: 2, ..Summary::default() });
}

#[tokio::test]
async fn an_absent_dispatcher_is_said_at_once() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(FOUR.as_bytes()).unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = Client::new(&format!("http://{closed}"), None).unwrap();
    let failure = EnqueueFile::new(client, Duration::from_secs(60)).send(file.path()).await.unwrap_err();
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(
        failure.message.contains(&closed.to_string()) && failure.message.contains("clawpool up"),
        "{failure:?}"
    );
}
