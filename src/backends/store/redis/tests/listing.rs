//! What came lately, and the walk over the rest.

use super::super::RedisStore;
use crate::{
    backend::redis::{
        layout::RECENT_STEP,
        testing::server::{self, Server},
    },
    store::{
        DeadFilter, DeadLetter, DeadStore, RecordFilter, TaskStore,
        conformance::sample::{admission, message, message_with},
    },
};
use clawpool_core::{
    config::Config,
    task::{DeadReason, ErrorClass, Failure, Priority, Timestamp},
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

const SHOWN: usize = 10;

/// Keys that the server has looked up, and bytes that it has sent, so far.
async fn counted(server: &Server) -> [u64; 2] {
    let info: String = server.ask("INFO", &["stats"]).await.unwrap();
    ["keyspace_hits:", "total_net_output_bytes:"].map(|name| {
        let line = info.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{info}")).trim().parse().unwrap()
    })
}

/// What a first page of each list looks up and is sent, with so many tasks and letters.
async fn costs(store: &RedisStore, server: &Server) -> [[u64; 2]; 2] {
    let mut costs = Vec::new();
    for of_letters in [false, true] {
        let before = counted(server).await;
        let shown = match of_letters {
            false => store.records(&RecordFilter::default(), None, SHOWN).await.unwrap().items.len(),
            true => store.dead(&DeadFilter::default(), None, SHOWN).await.unwrap().items.len(),
        };
        assert_eq!(shown, SHOWN);
        let after = counted(server).await;
        costs.push([after[0] - before[0], after[1] - before[1]]);
    }
    [costs[0], costs[1]]
}

#[tokio::test]
async fn a_first_page_reads_what_it_shows_and_one_more() {
    let server = Server::start(&[]).await;
    let config = server.config(Config::default());
    let store = RedisStore::open(&config).await.unwrap();
    let mut all = Vec::new();
    for count in [SHOWN + 1, 3_000] {
        let letters: Vec<_> = (0..count)
            .map(|_| DeadLetter {
                message: message(Priority::P4),
                kind: "test.echo".into(),
                tenant: None,
                reason: DeadReason::Fatal,
                failure: Failure::new(ErrorClass::Network, "the line is dead"),
                crashes: 0,
                died_at: Timestamp::now(),
            })
            .collect();
        let tasks: Vec<_> = (0..count).map(|_| admission(&message(Priority::P4))).collect();
        store.add_dead_letters(&letters).await.unwrap();
        store.admit(&tasks).await.unwrap();
        all.push(costs(&store, &server).await);
    }
    let [few, many] = all[..] else { panic!("{all:?}") };
    for (few, many) in few.into_iter().zip(many) {
        // Beside the entries: the list of what came, or the set of letters, and the place in it.
        assert!(many[0] <= few[0] + 2 && many[0] <= SHOWN as u64 + 6, "keys: {few:?} and {many:?}");
        // Figures of the server itself have a few digits more.
        assert!(many[1] < few[1] + 500, "bytes: {few:?} and {many:?}");
    }
}
