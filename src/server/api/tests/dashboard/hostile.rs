//! What others wrote never becomes part of a page.

use std::time::Duration;

use clawpool_backends::store::{Beat, LogLines, LogRules};
use clawpool_core::{
    config::Config,
    task::{LogLine, LogSource, Timestamp},
};
use reqwest::Method;
use serde_json::json;

use super::{Browser, markup::assert_ours};
use crate::{api::tests::pool::Pool, dashboard};

const HOSTILE: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)' x='",
    "</textarea><script>alert(1)</script>",
    "</title></main><h1>mine</h1>",
    "javascript:alert(1)",
    "{{ layout.title }}{% raw %}",
    "\u{202e}txt.exe\u{2066}\u{200b}\u{feff}",
    "\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}2J",
    "a\u{0}b\u{8}c\u{7f}",
    "line\r\nSet-Cookie: a=b\u{2028}next",
    "&lt;b&gt; &#x3c;script&#x3e; %3Cscript%3E",
];

/// Nothing of it is left as it was written, but for what is plain.
#[track_caller]
fn assert_harmless(what: &str, html: &str) {
    assert_ours(what, html);
    for raw in [
        "<script>alert",
        "onerror=alert(1)>",
        "<h1>mine",
        "\u{202e}",
        "\u{200b}",
        "\u{feff}",
        "\u{1b}",
        "\u{0}",
    ] {
        assert!(!html.contains(raw), "{what} has {raw:?}");
    }
}

#[tokio::test]
async fn no_text_of_others_becomes_markup_or_turns_a_page() {
    let pool = Pool::start(Config::default()).await;
    let beat = pool.beat_of(1);
    let (host, name) = (HOSTILE[0].to_owned(), HOSTILE[1].to_owned());
    let version = Some(HOSTILE[2].to_owned());
    pool.store.beat(&Beat { host, pool: name, version, ..beat }).await.unwrap();
    let mut tasks = Vec::new();
    for text in HOSTILE {
        let payload = json!({"text": text, text: [text, {"deep": text}]});
        // Control characters are refused there.
        let note: String = text.chars().filter(|character| !character.is_control()).collect();
        let meta = json!({"note": note});
        let task = json!({"kind": "a.b", "payload": payload, "meta": meta, "session": "s"});
        let dead = pool.kill(&task, text).await;
        let done = pool.enqueue(&json!({"kind": "a.b", "payload": payload, "meta": meta})).await;
        log(&pool, done, text).await;
        pool.complete(done, text).await;
        tasks.extend([dead.to_string(), done.to_string()]);
    }
    let mut browser = Browser::new(&pool);
    for path in dashboard::pages().filter(|path| !path.contains('{')) {
        assert_harmless(path, &browser.get(path).await.text);
    }
    for id in &tasks {
        let page = browser.get(&format!("/tasks/{id}")).await;
        page.says(200, "Payload");
        assert_harmless(id, &page.text);
    }
    for text in HOSTILE {
        for path in ["/tasks", "/dead"] {
            for field in
                ["kind", "text", "tenant", "session", "tag", "state", "queue", "reason", "since", "cursor"]
            {
                let address = format!("{path}?{field}={}", encoded(text));
                let page = browser.get(&address).await;
                assert!(page.status.as_u16() < 500, "{address}: {}", page.text);
                assert_harmless(&address, &page.text);
            }
        }
        for path in ["tasks", "queues"] {
            let page = browser.get(&format!("/{path}/{}", encoded(text))).await;
            assert!(page.status.is_client_error(), "{path} {text:?}: {}", page.status);
            assert_harmless(path, &page.text);
        }
        browser.get(&format!("/sign-in?to={}", encoded(text))).await.says(200, "value=\"/\"");
    }
    pool.stop().await;
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn log(pool: &Pool, id: clawpool_core::task::TaskId, text: &str) {
    let mut lines = Vec::new();
    LogLine::write(&mut lines, Timestamp::now(), LogSource::Stderr, text);
    LogLine::write(&mut lines, Timestamp::now(), LogSource::Log, &"x".repeat(1 << 20));
    let rules = LogRules { most: 1 << 20, keep: Duration::from_secs(60) };
    pool.store.append_logs(rules, &[LogLines { id, attempt: 1, lines: lines.into() }]).await.unwrap();
}

/// What cannot be seen is written as an escape where it is edited, and comes back as it was.
#[tokio::test]
async fn an_edited_payload_keeps_what_cannot_be_seen() {
    let pool = Pool::start(Config::default()).await;
    let payload = json!({"a": "\u{202e}\u{0}\u{1b}</textarea>&amp;"});
    let dead = pool.kill(&json!({"kind": "a.b", "payload": payload}), "no").await;
    let mut browser = Browser::new(&pool);
    let page = browser.get(&format!("/tasks/{dead}")).await.text;
    let area = page.split("<textarea").nth(1).unwrap();
    let text = area.split_once(">\n").unwrap().1.split("</textarea>").next().unwrap();
    let text = text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    browser.act(&format!("/tasks/{dead}/requeue"), &[("payload", &text)]).await.says(200, "runs again");
    let (_, task) = pool.call(Method::GET, &format!("/v1/tasks/{dead}")).await;
    assert_eq!(task["payload"], payload);
    pool.stop().await;
}

/// A line of a megabyte, and a list of a hundred thousand numbers.
#[tokio::test]
async fn long_texts_are_cut_where_they_are_shown() {
    let pool = Pool::start(Config::default()).await;
    let long = "y".repeat(200_000);
    let done = pool.enqueue(&json!({"kind": "a.b", "payload": {"text": long, "many": vec![0; 5_000]}})).await;
    log(&pool, done, "short").await;
    pool.complete(done, &long).await;
    let mut browser = Browser::new(&pool);
    let page = browser.get(&format!("/tasks/{done}")).await;
    page.says(200, "in all");
    assert_harmless("long", &page.text);
    // But for the text that can be edited, which is whole.
    assert!(page.text.len() < 500_000, "{}", page.text.len());
    pool.stop().await;
}
