use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::{
    backend::StoredItem,
    broker::conformance::{Fixture, message_on, message_with, queues},
    store::{TaskStore, sqlite::SqliteStore},
};
use clawpool_core::{config::Synchronous, task::Priority};

/// A file of its own, in a folder that goes with the case.
struct File {
    config: Config,
    _folder: TempDir,
}

async fn open(mut config: Config) -> File {
    let folder = TempDir::new().unwrap();
    config.embedded.data = folder.path().into();
    config.embedded.synchronous = Synchronous::Normal;
    File { config, _folder: folder }
}

#[async_trait]
impl Fixture for File {
    async fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(SqliteBroker::on(Database::open(&self.config).await.unwrap(), &self.config))
    }

    async fn put_garbage(&self, queue: Queue) {
        put_garbage(&self.config, queue).await;
    }
}

/// Two rows that are no messages, at the end of a queue.
pub(crate) async fn put_garbage(config: &Config, queue: Queue) {
    let broker = SqliteBroker::on(Database::open(config).await.unwrap(), config);
    for change in ["id = x'0102'", "expires_at = -1"] {
        let garbled = message_on(queue);
        assert!(broker.publish(vec![garbled.clone()]).await.iter().all(Result::is_ok));
        let update = format!("UPDATE messages SET {change} WHERE id = ?1");
        let done =
            broker.database.write(move |write| write.sql.execute(&update, [garbled.id])).await.unwrap();
        assert_eq!(done, 1);
    }
}

/// Without a consumer, the leader meets it when it takes expired messages.
#[tokio::test]
async fn an_unreadable_message_does_not_hide_an_expired_one_and_is_reported() {
    let file = open(Config::default()).await;
    let broker = SqliteBroker::on(Database::open(&file.config).await.unwrap(), &file.config);
    put_garbage(&file.config, Queue::P1).await;
    let late = message_with(Priority::P1, |task| task.expires_at = Timestamp::now());
    assert!(broker.publish(vec![late.clone()]).await.iter().all(Result::is_ok));
    assert_eq!(broker.depth(Queue::P1).await.unwrap().ready, 3);
    let mut taken = Vec::new();
    while taken.is_empty() {
        taken = broker.take_dead_lettered(ProcessId::new(), 10).await.unwrap();
    }
    assert_eq!(taken[0].delivery.message, late);
    assert_eq!(broker.depth(Queue::P1).await.unwrap().ready, 0);
    let told = SqliteStore::open(&file.config).await.unwrap().unreadable(&[]).await.unwrap();
    assert_eq!(told.iter().map(|told| told.what).collect::<Vec<_>>(), [StoredItem::Message; 2]);
}

crate::broker::conformance::suite!(open);

/// The stored counts are those of the rows, after every kind of change.
#[tokio::test]
async fn depths_follow_the_rows() {
    let file = open(Config::default()).await;
    let broker = SqliteBroker::on(Database::open(&file.config).await.unwrap(), &file.config);
    let worker = ProcessId::new();
    let messages: Vec<_> = (0..80).map(|index| message_on(queues()[index % queues().len()])).collect();
    let late = message_with(Priority::P2, |task| task.expires_at = Timestamp::now());
    assert!(broker.publish([vec![late], messages].concat()).await.iter().all(Result::is_ok));
    let taken = broker.take_dead_lettered(worker, 10).await.unwrap();
    for queue in queues() {
        let mut consumer = broker.consume(worker, queue).await.unwrap();
        let held = consumer.next(6).await.unwrap();
        let mut receipts: Vec<_> = held.into_iter().map(|delivery| delivery.receipt).collect();
        let again = receipts.clone();
        broker.ack(receipts.split_off(4)).await.unwrap();
        broker.release(receipts.split_off(2)).await.unwrap();
        broker.release(again[2..].to_vec()).await.unwrap();
    }
    assert_eq!(broker.reclaim(worker).await.unwrap(), 2 * queues().len() as u64 + taken.len() as u64);
    for queue in queues() {
        let count = move |sql: &rusqlite::Connection| {
            let query = "SELECT count(*) FROM waiting WHERE queue = ?1";
            sql.query_row(query, [queue], |row| row.get::<_, u64>(0))
        };
        assert_eq!(
            broker.depth(queue).await.unwrap().ready,
            broker.database.read(count).await.unwrap(),
            "{queue}"
        );
    }
    assert!(broker.depth(Queue::P0).await.unwrap().oldest.is_some());
}
