use std::sync::Arc;

use reqwest::Method;
use serde_json::json;

use super::{Listener, number, restart};
use crate::api::tests::{Server, assert_refused, down::Down, pool::Pool};
use clawpool_backends::store::{Entry, Topic};
use clawpool_core::config::Config;

/// Wherever a reader loses its stream, and whichever dispatcher it comes back to.
#[tokio::test]
async fn each_entry_is_told_once_over_lost_connections_and_other_dispatchers() {
    let pool = Pool::start(Config::default()).await;
    let other = Server::start(Config::default(), Arc::new(Down), Arc::clone(&pool.store)).await;
    let write = async |numbers: std::ops::Range<usize>| {
        for number in numbers {
            pool.store.append(None, &[restart(number)]).await.unwrap();
        }
    };
    write(0..3).await;
    let mut listener = Listener::open(&pool, "topics=restarts,audit").await;
    let mut told = Vec::new();
    let mut written = 3;
    for round in 0..6 {
        // Some while it listens, and some while it does not.
        write(written..written + 5).await;
        let mut last = String::new();
        for _ in 0..=round {
            let heard = listener.named("restart").await;
            told.push(number(&heard));
            last = heard.id.unwrap();
        }
        drop(listener);
        write(written + 5..written + 7).await;
        written += 7;
        let server = if round % 2 == 0 { &other } else { &*pool };
        listener = Listener::after(server, "topics=restarts", &last).await;
    }
    while told.last() != Some(&(written - 1)) {
        told.push(number(&listener.named("restart").await));
    }
    assert_eq!(told, (3..written).collect::<Vec<_>>(), "all from its opening on, each once");
    drop(listener);
    other.stop().await;
    pool.stop().await;
}

#[tokio::test]
async fn topics_come_as_their_lists_show_them() {
    let pool = Pool::start(Config::default()).await;
    let mut listener = Listener::open(&pool, "").await;
    pool.call(Method::POST, "/v1/queues/high.p2/pause").await;
    let audit = listener.named("audit").await;
    let (_, list) = pool.call(Method::GET, "/v1/audit").await;
    assert_eq!(audit.data["item"], list["items"][0]);
    // Another version's entry is passed over.
    let odd = Entry { topic: Topic::Alert, body: json!({"event": "new"}), ..restart(0) };
    pool.store.append(None, &[odd, restart(1)]).await.unwrap();
    assert_eq!(number(&listener.named("restart").await), 1);
    drop(listener);
    pool.stop().await;
}

/// More is written than the process keeps for its streams, and than the reader's socket takes.
#[tokio::test]
async fn a_slow_reader_is_told_everything_once_it_reads() {
    const ENTRIES: usize = 1_900;
    let pool = Pool::start(Config::default()).await;
    let mut slow = Listener::open(&pool, "topics=restarts").await;
    let mut quick = Listener::open(&pool, "topics=restarts").await;
    let long = "x".repeat(4_000);
    let entries: Vec<Entry> =
        (0..ENTRIES).map(|number| Entry { subject: format!("{long}{number}"), ..restart(number) }).collect();
    for chunk in entries.chunks(100) {
        pool.store.append(None, chunk).await.unwrap();
    }
    for listener in [&mut quick, &mut slow] {
        for expected in 0..ENTRIES {
            let heard = listener.next().await.unwrap();
            assert_eq!((&*heard.name, number(&heard)), ("restart", expected));
        }
    }
    drop((slow, quick));
    pool.stop().await;
}

#[tokio::test]
async fn what_is_forgotten_is_a_gap() {
    let pool = Pool::start(Config::default()).await;
    pool.store.append(None, &[restart(0)]).await.unwrap();
    let mut listener = Listener::open(&pool, "topics=restarts,crashes").await;
    pool.store.append(None, &[restart(1)]).await.unwrap();
    let id = listener.named("restart").await.id.unwrap();
    drop(listener);
    let written = Topic::Restart.kept() + 50;
    let entries: Vec<Entry> = (2..written).map(restart).collect();
    for chunk in entries.chunks(500) {
        pool.store.append(None, chunk).await.unwrap();
    }
    let mut listener = Listener::after(&pool, "topics=restarts,crashes", &id).await;
    let gap = listener.next().await.unwrap();
    assert_eq!((&*gap.name, &gap.data["topic"]), ("gap", &json!("restarts")));
    for expected in written - Topic::Restart.kept()..written {
        assert_eq!(number(&listener.next().await.unwrap()), expected, "all that are kept");
    }
    drop(listener);
    // An id of another store, which has had more.
    let mut listener = Listener::after(&pool, "topics=restarts", "0.0.0.0.999999999").await;
    assert_eq!(listener.next().await.unwrap().name, "gap");
    pool.store.append(None, &[restart(7)]).await.unwrap();
    assert_eq!(number(&listener.next().await.unwrap()), 7);
    drop(listener);
    pool.stop().await;
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused() {
    let pool = Pool::start(Config::default()).await;
    let id = pool.enqueue(&json!({"kind": "a"})).await;
    for (query, field) in [
        ("topics=weather".to_owned(), "topics"),
        ("topics=,".to_owned(), "topics"),
        (format!("topics=queues&task={id}"), "topics"),
        ("task=what".to_owned(), "task"),
        ("after=what".to_owned(), "after"),
        ("since=1h".to_owned(), "since"),
    ] {
        let answer = pool.call(Method::GET, &format!("/v1/events?{query}")).await;
        assert_refused(&answer, 400, "CP-1402", Some(field));
    }
    let unknown = pool.call(Method::GET, "/v1/events?task=01920000-0000-7000-8000-000000000001").await;
    assert_refused(&unknown, 404, "CP-1406", None);
    pool.stop().await;
    let cut_off = Server::cut_off(Config::default()).await;
    let (status, body) = cut_off.call(Method::GET, "/v1/events").await;
    assert_eq!(status, 503, "the store is away: {body}");
    cut_off.stop().await;
}
