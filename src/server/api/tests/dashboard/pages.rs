//! What each page shows, and to whom.

use clawpool_core::config::{Config, Scope, Token};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;

use super::{Browser, furnished, markup::assert_ours};
use crate::{
    api::tests::{answer, pool::Pool, route_table::secret},
    dashboard,
};

/// The address of a page or an action, with something of the pool in place of what it names.
fn filled(path: &str, task: &str) -> String {
    let path = path.replace("/workers/{id}", "/workers/01920000-0000-7000-8000-000000000002");
    path.replace("{id}", task).replace("{queue}", "normal.p4").replace("{pool}", "main")
}

#[tokio::test]
async fn every_page_is_shown_and_may_load_nothing_from_elsewhere() {
    let pool = Pool::start(Config::default()).await;
    let (waits, dead) = furnished(&pool).await;
    let mut browser = Browser::new(&pool);
    for path in dashboard::pages() {
        for task in [&waits, &dead] {
            let page = browser.get(&filled(path, task)).await;
            page.says(200, "<h1>");
            assert_ours(path, &page.text);
            let policy = page.header("content-security-policy");
            assert!(
                policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"),
                "{policy}"
            );
            assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "same-origin"),
                ("cache-control", "no-store"),
            ] {
                assert_eq!(page.header(name), value, "{path}");
            }
            for loaded in ["src=\"http", "href=\"http", "src=\"//", "href=\"//"] {
                assert!(!page.text.contains(loaded), "{path}: {loaded}: {}", page.text);
            }
        }
    }
    pool.stop().await;
}

#[tokio::test]
async fn styles_and_scripts_are_kept_by_browsers_under_names_of_their_content() {
    let pool = Pool::start(Config::default()).await;
    let mut browser = Browser::new(&pool);
    let page = browser.get("/").await.text;
    let names: Vec<&str> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        let asset = browser.get(name).await;
        assert_eq!(asset.status, 200, "{name}");
        assert!(asset.header("cache-control").contains("immutable") && asset.text.len() > 100, "{name}");
    }
    assert_eq!(browser.get("/assets/dashboard.0000.css").await.status, 404);
    pool.stop().await;
}

#[tokio::test]
async fn what_is_nowhere_is_a_page_for_people_and_json_for_programs() {
    let pool = Pool::start(Config::default()).await;
    let mut browser = Browser::new(&pool);
    let page = browser.get("/nowhere").await;
    page.says(404, "Nothing here");
    assert_ours("nowhere", &page.text);
    browser.get("/tasks/01920000-0000-7000-8000-00000000ffff").await.says(404, "CP-1406");
    browser.get("/queues/none").await.says(404, "CP-1406");
    for path in ["/nowhere", "/v1/nowhere"] {
        let (status, body) = pool.call(Method::GET, path).await;
        assert_eq!((status.as_u16(), body["code"].as_str()), (404, Some("CP-1406")), "{path}");
    }
    pool.stop().await;
}

#[tokio::test]
async fn a_page_has_no_more_than_fifty_of_a_list_and_leads_on() {
    let pool = Pool::start(Config::default()).await;
    for index in 0..120 {
        pool.enqueue(&json!({"kind": format!("k.{}", index % 2), "delay": "1h"})).await;
    }
    let mut browser = Browser::new(&pool);
    for path in ["/tasks", "/tasks?kind=k.1&state=scheduled", "/scheduled"] {
        let mut next = Some(path.to_owned());
        let (mut rows, mut pages) = (0, 0);
        while let Some(at) = next {
            let page = browser.get(&at).await;
            assert_eq!(page.status, 200, "{at}");
            let own = page.text.matches("<tr data-key=").count();
            assert!(own <= 50, "{at}: {own}");
            (rows, pages) = (rows + own, pages + 1);
            let link = page.text.split("<a ").find(|tag| tag.contains("rel=\"next\""));
            next = link.map(|tag| tag.split('"').nth(3).unwrap().replace("&amp;", "&"));
        }
        let all = if path.contains("k.1") { 60 } else { 120 };
        assert_eq!((rows, pages), (all, if all == 60 { 2 } else { 3 }), "{path}");
    }
    pool.stop().await;
}

#[tokio::test]
async fn a_filter_that_is_wrong_is_told_beside_it() {
    let pool = Pool::start(Config::default()).await;
    let mut browser = Browser::new(&pool);
    for (path, word) in [
        ("/tasks?state=sleeping", "sleeping"),
        ("/tasks?queue=none", "none"),
        ("/dead?reason=bored", "bored"),
        ("/tasks?since=yesterday-ish", "since"),
    ] {
        let page = browser.get(path).await;
        page.says(200, "role=\"alert\"");
        assert!(page.text.contains(word), "{path}: {}", page.text);
        assert_ours(path, &page.text);
    }
    pool.stop().await;
}

fn token(name: &str, scopes: &[Scope], tenants: &[&str], queues: &[&str]) -> Token {
    Token {
        name: name.to_owned(),
        secret: SecretString::from(format!("the-token-of-{name}")),
        scopes: scopes.to_vec(),
        tenants: tenants.iter().map(|tenant| (*tenant).to_owned()).collect(),
        queues: queues.iter().map(|queue| queue.parse().unwrap()).collect(),
    }
}

fn guarded() -> Config {
    let mut config = Config::default();
    config.api.tokens = vec![
        token("reader", &[Scope::Read], &[], &[]),
        token("operator", &[Scope::Read, Scope::Operate], &[], &[]),
        token("acme", &[Scope::Read], &["acme"], &[]),
        token("mail", &[Scope::Read], &[], &["normal.p4"]),
    ];
    config
}

#[tokio::test]
async fn who_is_held_to_tenants_or_queues_is_offered_and_shown_no_other_pages() {
    let pool = Pool::start(guarded()).await;
    for (name, sees) in [
        (
            "reader",
            &[
                "/",
                "/tasks",
                "/queues",
                "/dead",
                "/scheduled",
                "/workers",
                "/pools",
                "/audit",
                "/doctor",
                "/config",
            ][..],
        ),
        ("acme", &["/", "/tasks", "/queues", "/dead", "/pools"]),
        ("mail", &["/", "/tasks", "/queues", "/dead"]),
    ] {
        let mut browser = Browser::signed_in(&pool, &format!("the-token-of-{name}")).await;
        let home = browser.get("/").await.text;
        for path in dashboard::pages().filter(|path| !path.contains('{')) {
            let is_seen = sees.contains(&path) || (name == "reader" && !path.contains('{'));
            let page = browser.get(path).await;
            assert_eq!(page.status, if is_seen { 200 } else { 403 }, "{name}: {path}: {}", page.text);
            assert_ours(path, &page.text);
            let is_offered = home.contains(&format!("<a href=\"{path}\""));
            assert_eq!(is_offered, is_seen, "{name}: {path}");
        }
    }
    pool.stop().await;
}

/// Others' tasks are neither in a list nor found by their id.
#[tokio::test]
async fn a_tenants_token_shows_its_own_tasks() {
    let mut config = guarded();
    config.api.tokens.push(token("shop", &[Scope::Enqueue], &[], &[]));
    let pool = Pool::start(config).await;
    let mut ids = Vec::new();
    for tenant in ["acme", "beta"] {
        let task = json!({"kind": format!("of.{tenant}"), "tenant": tenant, "delay": "1h"});
        let request = pool.request(Method::POST, "/v1/tasks").bearer_auth("the-token-of-shop").json(&task);
        let (_, body) = answer(request.send().await.unwrap()).await;
        ids.push(body["id"].as_str().unwrap().to_owned());
    }
    let mut browser = Browser::signed_in(&pool, "the-token-of-acme").await;
    let list = browser.get("/tasks").await.text;
    assert!(list.contains("of.acme") && !list.contains("of.beta"), "{list}");
    browser.get(&format!("/tasks/{}", ids[0])).await.says(200, "of.acme");
    assert_eq!(browser.get(&format!("/tasks/{}", ids[1])).await.status, 404);
    browser.get("/tasks?tenant=beta").await.says(200, "role=\"alert\"");
    pool.stop().await;
}

/// What a reader may not do is not offered, and refused where somebody sends the form all the same.
#[tokio::test]
async fn no_action_is_a_readers() {
    let mut read_only = Config::default();
    read_only.api.read_only = true;
    for config in [guarded(), read_only] {
        let needs_token = !config.api.tokens.is_empty();
        let pool = Pool::start(config).await;
        let mut browser = Browser::new(&pool);
        if needs_token {
            browser = Browser::signed_in(&pool, "the-token-of-reader").await;
        }
        for path in dashboard::pages().filter(|path| !path.contains("{id}")) {
            let page = browser.get(&filled(path, "")).await;
            let forms = page.text.matches("method=\"post\"").count();
            // The switch of colours, and signing out; the list of tasks is a form without buttons.
            let own = 1 + usize::from(needs_token);
            let lists = page.text.matches("action=\"/tasks/bulk\"").count()
                + page.text.matches("<form method=\"post\" class=\"row below\">").count();
            assert_eq!(forms - lists, own, "{path}: {}", page.text);
            assert!(!page.text.contains("name=\"do\"") && !page.text.contains("formaction"), "{path}");
        }
        for path in dashboard::actions() {
            let form =
                [("do", "cancel"), ("confirm", "yes"), ("size", "1"), ("ids", "abcdef"), ("payload", "1")];
            let path = filled(path, "01920000-0000-7000-8000-000000000001");
            let done = browser.post(&path, &form).await;
            // A task or a pool that is not there may be told first, where the token may look for it.
            assert!([403, 404].contains(&done.status.as_u16()), "{path}: {} {}", done.status, done.text);
            assert_ours(&path, &done.text);
        }
        pool.stop().await;
    }
}

#[tokio::test]
async fn a_dispatcher_without_its_store_says_so() {
    let server = crate::api::tests::Server::cut_off(crate::api::tests::route_table::guarded()).await;
    let mut browser = Browser::new(&server);
    browser.post("/sign-in", &[("token", &secret(Scope::Read))]).await.leads_to("/");
    let page = browser.get("/queues").await;
    page.says(503, "Not just now");
    assert_ours("away", &page.text);
    server.stop().await;
}
