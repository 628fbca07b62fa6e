use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::{
    broker::conformance::{Fixture, message, message_with},
    config::Synchronous,
    task::Priority,
};

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
}

crate::broker::conformance::suite!(open);

/// The kept counts are those of the rows, whatever happens to the rows.
#[tokio::test]
async fn depths_follow_the_rows() {
    let file = open(Config::default()).await;
    let broker = SqliteBroker::on(Database::open(&file.config).await.unwrap(), &file.config);
    let worker = WorkerId::new();
    let messages: Vec<_> = (0..70).map(|index| message(Priority::ALL[index % 7])).collect();
    let late = message_with(Priority::P2, |task| task.expires_at = Timestamp::now());
    assert!(broker.publish([vec![late], messages].concat()).await.iter().all(Result::is_ok));
    let swept = broker.sweep(worker, 10).await.unwrap();
    for queue in Queue::ALL {
        let mut consumer = broker.consume(worker, queue).await.unwrap();
        let held = consumer.next(6).await.unwrap();
        let mut receipts: Vec<_> = held.into_iter().map(|delivery| delivery.receipt).collect();
        let again = receipts.clone();
        broker.ack(receipts.split_off(4)).await.unwrap();
        broker.release(receipts.split_off(2)).await.unwrap();
        broker.release(again[2..].to_vec()).await.unwrap();
    }
    assert_eq!(broker.reclaim(worker).await.unwrap(), 12 + swept.len() as u64);
    for queue in Queue::ALL {
        let count = move |sql: &rusqlite::Connection| {
            let (first, last) = (queue.priorities().min(), queue.priorities().max());
            let query = "SELECT count(*) FROM waiting WHERE priority BETWEEN ?1 AND ?2";
            sql.query_row(query, [first, last], |row| row.get::<_, u64>(0))
        };
        assert_eq!(broker.depth(queue).await.unwrap().ready, broker.database.read(count).await.unwrap(), "{queue}");
    }
    assert!(broker.depth(Queue::P0).await.unwrap().oldest.is_some());
}
