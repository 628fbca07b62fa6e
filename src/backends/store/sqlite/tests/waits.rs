//! Waits for the file, or for its doorbell, end, and the log tells of them.

use std::{
    net::UdpSocket,
    sync::mpsc,
    time::{Duration, Instant as Clock},
};

use rusqlite::Connection;
use tokio::time::Instant;

use super::*;
use crate::{
    backend::sqlite::{
        Topic, Write,
        connection::PATIENCE,
        database::Attendant,
        doorbell::Doorbell,
        progress::Progress,
        writer::{Call, Job},
    },
    store::conformance::{Log, eventually, guarded},
};

/// Keeps the writer of this handle busy until the sender is dropped.
fn busy(database: &Database) -> mpsc::Sender<()> {
    let (go, gate) = mpsc::channel::<()>();
    database.write_detached(move |_| {
        let _ = gate.recv();
        Ok(())
    });
    go
}

fn pause(write: &mut Write<'_>) -> rusqlite::Result<usize> {
    write.sql.execute("INSERT INTO paused VALUES (1)", ())
}

#[tokio::test]
async fn a_long_wait_for_the_lock_is_told_once_and_its_end() {
    let (log, _guard) = Log::capture();
    guarded(async {
        let file = open(Config::default()).await;
        let database = file.database().await;
        let another = Connection::open(file.path()).unwrap();
        another.execute_batch("BEGIN IMMEDIATE").unwrap();
        let writing = tokio::spawn(async move { database.write(pause).await.map(|_| database) });
        eventually(async || log.count("all writes wait") == 1).await;
        another.execute_batch("COMMIT").unwrap();
        let _database = writing.await.unwrap().unwrap();
        eventually(async || log.count("writes go on") == 1).await;
        assert_eq!(log.count("all writes wait"), 1);
    })
    .await;
}

/// By the paused clock: the writer never comes back.
#[tokio::test(start_paused = true)]
async fn a_write_without_an_answer_fails_in_the_end() {
    let file = open(Config::default()).await;
    let database = file.database().await;
    let _busy = busy(&database);
    let error = StoreError::from(database.write(pause).await.unwrap_err());
    assert!(error.is_retryable() && error.to_string().contains("clawpool.db"), "{error}");
}

#[tokio::test]
async fn what_stood_in_the_line_for_too_long_is_refused_undone() {
    let file = open(Config::default()).await;
    let database = file.database().await;
    // A machine that started just now has no such past.
    let Some(long_ago) = Clock::now().checked_sub(PATIENCE) else { return };
    let go = busy(&database);
    let (late, answer) = Call::new(pause, Some(long_ago));
    database.jobs.send(Box::new(late) as Box<dyn Job>).unwrap();
    drop(go);
    let error = StoreError::from(answer.await.unwrap().unwrap_err());
    assert!(error.is_retryable() && error.to_string().contains("gave no answer"), "{error}");
    assert_eq!(database.write(pause).await.unwrap(), 1, "it was not done");
}

/// By the paused clock: rings arrive at a door without a listener.
#[tokio::test(start_paused = true)]
async fn waiters_look_every_second_while_the_doorbell_is_not_heard() {
    let file = open(Config::default()).await;
    let database = file.database().await;
    let (bells, _unread) = Doorbell::new().unwrap();
    let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let elsewhere = tokio::net::UdpSocket::from_std(elsewhere).unwrap();
    let bells = Arc::new(bells);
    bells.listens(Topic::Schedule);
    let mut bell = bells.subscribe(Topic::Schedule);
    let attendant =
        Attendant { database: Arc::downgrade(&database), bells, progress: Arc::<Progress>::default() };
    let attending = tokio::spawn(attendant.run(elsewhere));
    let start = Instant::now();
    for _ in 0..10 {
        bell.changed().await.unwrap();
    }
    assert!(start.elapsed() <= Duration::from_secs(15), "ten looks took {:?}", start.elapsed());
    attending.abort();
}
