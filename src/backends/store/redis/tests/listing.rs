//! What came lately, and the walk over the rest.

use super::super::RedisStore;
use crate::{
    backend::redis::{layout::RECENT_STEP, testing::server},
    store::{
        RecordFilter, TaskStore,
        conformance::sample::{admission, message, message_with},
    },
};
use clawpool_core::{
    config::Config,
    task::{Priority, Timestamp},
};

#[tokio::test]
async fn a_task_that_came_long_ago_is_found_by_the_walk() {
    let config = server::on_shared(Config::default());
    let store = RedisStore::open(&config).await.unwrap();
    let age = std::time::Duration::from_secs(24 * 3600);
    let old = message_with(Priority::P4, |task| {
        task.enqueued_at = Timestamp::from_millis(Timestamp::now().as_millis() - age.as_millis() as u64);
    });
    let new = message(Priority::P4);
    store.admit(&[admission(&old)]).await.unwrap();
    // As after the time for which it is kept.
    let step = Timestamp::now().as_millis() / RECENT_STEP.as_millis() as u64;
    for step in [step - 1, step, step + 1] {
        let key = format!("{}:r:{step}", store.link.base());
        let _: u32 = store.link.send(redis::cmd("DEL").arg(key)).await.unwrap();
    }
    store.admit(&[admission(&new)]).await.unwrap();
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.records(&RecordFilter::default(), cursor.as_deref(), 1).await.unwrap();
        found.extend(page.items.iter().map(|record| record.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, [new.id, old.id]);
}
