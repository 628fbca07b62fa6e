//! What a page costs, in steps of the statements that go over the rows.

use rusqlite::StatementStatus::VmStep;

use super::*;
use crate::store::{
    DeadFilter, DeadLetter, DeadStore, RecordFilter, TaskStore,
    conformance::{admission, message, message_with, other_id},
    sqlite::listing::{list, others, timed},
};
use clawpool_core::task::{DeadReason, ErrorClass, Failure, Priority, TaskId, Timestamp};

const SHOWN: usize = 10;

async fn store() -> (SqliteStore, File) {
    let file = open(Config::default()).await;
    (SqliteStore::on(file.database().await, &file.config), file)
}

/// Both statements of a listing of records: the one that goes over them, and the one that reads what is
/// shown.
async fn cost(store: &SqliteStore, filter: RecordFilter) -> (i32, usize) {
    let look = move |sql: &Connection| {
        let page = list(sql, &filter, None, SHOWN)?.continue_value().unwrap();
        let steps =
            |text: &str| -> rusqlite::Result<i32> { Ok(sql.prepare_cached(text)?.reset_status(VmStep)) };
        Ok((steps(&timed())? + steps(&others())?, page.looked_at))
    };
    store.database.read(look).await.unwrap()
}

async fn cost_of_letters(store: &SqliteStore) -> (i32, Option<usize>) {
    let list = |sql: &Connection| {
        let page = letters::list(sql, &DeadFilter::default(), None, SHOWN)?.continue_value().unwrap();
        assert_eq!(page.items.len(), SHOWN);
        Ok((sql.prepare_cached(letters::CHOICE)?.reset_status(VmStep), page.looked_at))
    };
    store.database.read(list).await.unwrap()
}

#[tokio::test]
async fn a_first_page_reads_what_it_shows_and_one_more() {
    let (store, _file) = store().await;
    let mut costs = Vec::new();
    for count in [SHOWN + 1, 3_000] {
        let id = |index| if index % 2 == 0 { TaskId::new() } else { other_id() };
        let message = |index| message_with(Priority::P4, |task| task.id = id(index));
        let tasks: Vec<_> = (0..count).map(|index| admission(&message(index))).collect();
        store.admit(&tasks).await.unwrap();
        costs.push(cost(&store, RecordFilter::default()).await);
    }
    let [few, many] = costs[..] else { panic!("{costs:?}") };
    // Ids of both kinds are shown, in one case more of those that cost a step more.
    assert!(many.0 < 2 * few.0, "it does not follow how many there are: {costs:?}");
    assert_eq!((few.1, many.1), (SHOWN, SHOWN), "looked at, beside the one more");
    // What few match is looked for among all of them.
    let nobodys = RecordFilter { tenant: Some("nobody".into()), ..RecordFilter::default() };
    assert!(cost(&store, nobodys).await.0 > 20 * few.0, "the steps count rows");
}

#[tokio::test]
async fn a_first_page_of_letters_reads_what_it_shows_and_one_more() {
    let (store, _file) = store().await;
    let mut costs = Vec::new();
    for count in [SHOWN + 1, 1_000] {
        let letter = |_| DeadLetter {
            message: message(Priority::P4),
            kind: "test.echo".into(),
            tenant: None,
            reason: DeadReason::Fatal,
            failure: Failure::new(ErrorClass::Network, "the line is dead"),
            crashes: 0,
            died_at: Timestamp::now(),
        };
        store.add_dead_letters(&(0..count).map(letter).collect::<Vec<_>>()).await.unwrap();
        costs.push(cost_of_letters(&store).await);
    }
    assert_eq!(costs[0], costs[1], "it does not follow how many there are");
    assert_eq!(costs[0].1, Some(SHOWN));
}
