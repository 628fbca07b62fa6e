use std::sync::mpsc;

use rusqlite::{Connection, params};

use super::*;
use crate::{
    backend::sqlite::{Topic, Write},
    broker::{Broker, sqlite::SqliteBroker},
    store::{Admission, Admitted, ControlStore, NoteStore, TaskStore, conformance::message_with},
};
use clawpool_core::task::{Priority, ProcessId, Queue, TaskId};

async fn refusal(file: &File) -> StoreError {
    match SqliteStore::open(&file.config).await {
        Err(error) => error,
        Ok(_) => panic!("the file was taken"),
    }
}

/// A file that something else has made.
async fn made_by(make: impl FnOnce(&Connection)) -> File {
    let file = open(Config::default()).await;
    std::fs::create_dir_all(&file.config.embedded.data).unwrap();
    make(&Connection::open(file.path()).unwrap());
    file
}

#[tokio::test]
async fn a_later_versions_file_is_refused() {
    let file = made_by(|sql| sql.pragma_update(None, "user_version", 99).unwrap()).await;
    let error = refusal(&file).await.to_string();
    assert!(error.contains("schema 99") && error.contains("update this program"), "{error}");
    assert!(error.contains("clawpool.db"), "{error}");
}

#[tokio::test]
async fn an_earlier_versions_file_is_brought_up_to_date_with_what_it_holds() {
    let gone = ProcessId::new();
    let fresh = ProcessId::new();
    let file = made_by(|sql| {
        sql.execute_batch(include_str!("../../../backend/sqlite/schema.sql")).unwrap();
        sql.execute("INSERT INTO paused VALUES (2)", ()).unwrap();
        let message =
            "INSERT INTO messages (priority, held, owner, id, generation, enqueued_at, expires_at, body)
                       VALUES (4, ?1, ?2, ?3, 0, 1, 9000000000000, x'01')";
        for (held, owner) in [(1, Some(gone)), (0, None)] {
            let owner = owner.map_or([0; 16], |owner| *owner.as_bytes());
            sql.execute(message, params![held, owner, TaskId::new()]).unwrap();
        }
        sql.execute("UPDATE depths SET ready = 1 WHERE queue = 3", ()).unwrap();
        sql.pragma_update(None, "user_version", 1).unwrap();
    })
    .await;
    let store = SqliteStore::open(&file.config).await.unwrap();
    assert_eq!(store.paused().await.unwrap(), [Queue::P2, Queue::P3]);
    store.put_note(None, "new", "in version 2".into(), None).await.unwrap();
    assert_eq!(store.note("new").await.unwrap().unwrap(), "in version 2");
    let broker = SqliteBroker::open(&file.config).await.unwrap();
    let mut consumer = broker.consume(fresh, Queue::P4).await.unwrap();
    assert_eq!(consumer.next(10).await.unwrap().len(), 1, "the other one is held");
    assert_eq!((broker.reclaim(gone).await.unwrap(), consumer.next(10).await.unwrap().len()), (1, 1));
}

#[tokio::test]
async fn an_earlier_versions_unique_keys_count_within_their_tenants() {
    let holder = TaskId::new();
    let file = made_by(|sql| {
        sql.execute_batch(include_str!("../../../backend/sqlite/schema.sql")).unwrap();
        let task = "INSERT INTO tasks (id, kind, priority, tenant, unique_key, state, generation, attempt, \
            enqueued_at,
                    expires_at) VALUES (?1, 'a', 4, 'acme', 'k', 1, 0, 0, 1, 9000000000000)";
        sql.execute(task, [holder]).unwrap();
        sql.execute("INSERT INTO unique_keys VALUES ('k', ?1)", [holder]).unwrap();
        sql.pragma_update(None, "user_version", 1).unwrap();
    })
    .await;
    let store = SqliteStore::open(&file.config).await.unwrap();
    let admit = async |tenant: &str| {
        let message = message_with(Priority::P4, |task| {
            task.tenant = Some(tenant.into());
            task.unique_key = Some("k".into());
        });
        let kind = "a".into();
        let tenant = Some(tenant.into());
        let unique_key = message.task().unwrap().scoped_key();
        let task =
            Admission { message, kind, tenant, enqueued_by: None, unique_key, at: None, fingerprint: None };
        store.admit(&[task]).await.unwrap()[0]
    };
    assert_eq!(admit("acme").await, Admitted::Existing(holder));
    assert_eq!(admit("beta").await, Admitted::New);
    assert_eq!(store.record(holder).await.unwrap().unwrap().enqueued_by, None);
    store.cancel(holder).await.unwrap();
    assert_eq!(admit("acme").await, Admitted::New);
}

#[tokio::test]
async fn another_programs_file_is_refused() {
    let file = made_by(|sql| sql.execute_batch("CREATE TABLE theirs (a)").unwrap()).await;
    let error = refusal(&file).await;
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("another program's"), "{error}");
}

#[tokio::test]
async fn a_damaged_file_is_named() {
    let file = open(Config::default()).await;
    std::fs::create_dir_all(&file.config.embedded.data).unwrap();
    std::fs::write(file.path(), "not a database, however long one reads".repeat(100)).unwrap();
    let error = refusal(&file).await;
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("clawpool.db") && error.to_string().contains("backup"), "{error}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let mut file = open(Config::default()).await;
    let blocker = file._folder.path().join("blocker");
    std::fs::write(&blocker, "a file").unwrap();
    file.config.embedded.data = blocker.join("data");
    let error = refusal(&file).await;
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("blocker"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_may_open_a_new_file_at_once() {
    let file = open(Config::default()).await;
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let config = file.config.clone();
            tokio::spawn(async move { Database::open(&config).await.map(drop) })
        })
        .collect();
    for outcome in opening {
        outcome.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn one_process_shares_one_handle() {
    let file = open(Config::default()).await;
    let first = Database::shared(&file.config).await.unwrap();
    let second = Database::shared(&file.config).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));
}

/// Callers whose writes meet in one transaction do not share one another's failures.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_write_is_undone_alone() {
    let file = open(Config::default()).await;
    let database = file.database().await;
    let (go, gate) = mpsc::channel::<()>();
    database.write_detached(move |_| {
        let _ = gate.recv();
        Ok(())
    });
    let pause = |queue: i64, fails: bool| {
        let database = database.clone();
        tokio::spawn(async move {
            let work = move |write: &mut Write<'_>| {
                write.sql.execute("INSERT INTO paused VALUES (?1)", [queue])?;
                if fails { Err(rusqlite::Error::InvalidQuery) } else { Ok(()) }
            };
            database.write(work).await
        })
    };
    let writes = [pause(1, false), pause(2, true), pause(3, false), pause(1, false)];
    tokio::task::yield_now().await;
    go.send(()).unwrap();
    let mut kept = 0;
    for write in writes {
        kept += usize::from(write.await.unwrap().is_ok());
    }
    let rows = database.read(|sql| {
        let mut query = sql.prepare("SELECT queue FROM paused ORDER BY queue")?;
        query.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()
    });
    assert_eq!((rows.await.unwrap(), kept), (vec![1, 3], 2), "one broke off, one met a row that was there");
}

#[tokio::test]
async fn a_write_that_fails_alone_is_undone() {
    let file = open(Config::default()).await;
    let database = file.database().await;
    let failing = |write: &mut Write<'_>| {
        write.sql.execute("INSERT INTO paused VALUES (1)", ())?;
        Err::<(), _>(rusqlite::Error::InvalidQuery)
    };
    assert!(database.write(failing).await.is_err());
    let count =
        |sql: &Connection| sql.query_row("SELECT count(*) FROM paused", (), |row| row.get::<_, i64>(0));
    assert_eq!(database.read(count).await.unwrap(), 0);
    database.write(|write| write.sql.execute("INSERT INTO paused VALUES (2)", ())).await.unwrap();
    assert_eq!(database.read(count).await.unwrap(), 1, "the writer goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_ring_is_made_up_for() {
    let file = open(Config::default()).await;
    let waiter = file.database().await;
    let other = file.database().await;
    let mut bell = waiter.listen(Topic::Schedule).await.unwrap();
    other.write(|write| write.sql.execute("DELETE FROM listeners", ())).await.unwrap();
    let ring = |write: &mut Write<'_>| {
        write.rings.ring(Topic::Schedule);
        Ok(())
    };
    other.write(ring).await.unwrap();
    crate::store::conformance::guarded(bell.changed()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_handle_leaves_no_listener() {
    let file = open(Config::default()).await;
    let stays = file.database().await;
    let goes = file.database().await;
    goes.listen(Topic::Schedule).await.unwrap();
    drop(goes);
    let listeners = async || {
        let count = |sql: &Connection| {
            sql.query_row("SELECT count(*) FROM listeners", (), |row| row.get::<_, i64>(0))
        };
        stays.read(count).await.unwrap()
    };
    crate::store::conformance::guarded(crate::store::conformance::eventually(async || {
        listeners().await == 0
    }))
    .await;
}
