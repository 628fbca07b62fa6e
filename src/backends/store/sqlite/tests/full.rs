//! A file that can be read and takes no writes.

use std::time::Duration;

use super::*;
use crate::{
    backend::sqlite::DatabaseError,
    broker::{Broker, BrokerError, conformance::message, sqlite::SqliteBroker},
    store::{NoteStore, StoreError},
};
use clawpool_core::task::{Priority, ProcessId, Queue};

/// SQLite's own limit of a file's size stands for a full disk: it answers the same.
async fn set_pages(database: &Arc<Database>, pages: u32) {
    database.write(move |write| write.sql.pragma_update(None, "max_page_count", pages)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_waited_for_and_said_to_be_one() {
    let file = open(Config::default()).await;
    let store = SqliteStore::open(&file.config).await.unwrap();
    let database = Database::shared(&file.config).await.unwrap();
    let broker = SqliteBroker::open(&file.config).await.unwrap();
    set_pages(&database, 1).await;
    let large = || bytes::Bytes::from(vec![7; 1 << 20]);
    let error = store.put_note(None, "large", large(), None).await.unwrap_err();
    assert!(matches!(error, StoreError::Blocked { .. }) && error.is_retryable(), "{error}");
    assert!(error.to_string().contains("no space is left"), "{error}");
    let mut heavy = message(Priority::P0);
    heavy.body = large();
    let error = broker.publish(vec![heavy]).await.remove(0).unwrap_err();
    assert!(matches!(error, BrokerError::Blocked { .. }), "{error}");
    set_pages(&database, u32::MAX - 1).await;
    store.put_note(None, "large", large(), None).await.unwrap();
}

/// What the system says of a disk that became read-only under a running process.
#[tokio::test]
async fn a_read_only_file_and_a_failing_disk_are_waited_for() {
    for (code, word) in
        [(8, "cannot be written"), (10, "the disk fails"), (13, "no space"), (14, "cannot be written")]
    {
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        let error = StoreError::from(DatabaseError::new(std::path::Path::new("clawpool.db"), &error));
        assert!(matches!(error, StoreError::Blocked { .. }) && error.is_retryable(), "{code}: {error}");
        assert!(error.to_string().contains(word), "{code}: {error}");
    }
}

/// An acknowledgement that found no room: the worker lives on, and the row must not stay with it for as long.
#[tokio::test]
async fn what_could_not_be_acknowledged_returns() {
    let file = open(Config::default()).await;
    let broker = SqliteBroker::open(&file.config).await.unwrap();
    let worker = ProcessId::new();
    let sent = message(Priority::P0);
    broker.publish(vec![sent.clone()]).await.remove(0).unwrap();
    let held = broker.consume(worker, Queue::P0).await.unwrap().next(1).await.unwrap();
    let receipts: Vec<_> = held.iter().map(|delivery| delivery.receipt.clone()).collect();
    // A trigger stands for whatever makes a write fail.
    let other = rusqlite::Connection::open(file.path()).unwrap();
    let refusing = "CREATE TRIGGER refuse BEFORE DELETE ON messages BEGIN SELECT RAISE(ABORT, 'no'); END";
    other.execute_batch(refusing).unwrap();
    assert!(broker.ack(receipts).await.is_err());
    other.execute_batch("DROP TRIGGER refuse").unwrap();
    let mut back = 0;
    while back == 0 {
        back = broker.reconcile(worker).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let again = broker.consume(worker, Queue::P0).await.unwrap().next(1).await.unwrap();
    assert_eq!(again[0].message.id, sent.id);
}
