//! Every route × every kind of caller, by one table.

use std::collections::BTreeSet;

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    answer, assert_refused,
    pool::Pool,
    route_table::{BETAS, Row, TABLE, guarded, secret},
};
use crate::api::routes;
use clawpool_core::config::{Config, Scope};

type Answer = (StatusCode, Value);

async fn ask(pool: &Pool, row: &Row, header: Option<(&str, &str)>) -> Answer {
    let request = pool.request(row.method.clone(), row.asked);
    let request = match row.body {
        "" => request,
        body => request.header("content-type", "application/json").body(body),
    };
    let request = header.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    answer(request.send().await.unwrap()).await
}

async fn with_token(pool: &Pool, row: &Row, secret: &str) -> Answer {
    ask(pool, row, Some(("authorization", &format!("Bearer {secret}")))).await
}

async fn make(pool: &Pool, token: Value) -> String {
    let request = pool.request(Method::POST, "/v1/tokens").bearer_auth(secret(Scope::Admin)).json(&token);
    let (status, made) = answer(request.send().await.unwrap()).await;
    assert_eq!(status, 201, "{made}");
    made["secret"].as_str().unwrap().to_owned()
}

/// With a task of the tenant beta.
async fn pool() -> Pool {
    let pool = Pool::start(guarded()).await;
    let task = json!({"kind": "a", "tenant": "beta", "id": BETAS, "delay": "1h"});
    let request = pool.request(Method::POST, "/v1/tasks").bearer_auth(secret(Scope::Enqueue)).json(&task);
    assert_eq!(request.send().await.unwrap().status(), 201);
    pool
}

#[test]
fn the_table_has_every_route_and_no_other() {
    let known: BTreeSet<_> = TABLE.iter().map(|row| (row.path, row.method.to_string())).collect();
    let routes: BTreeSet<_> =
        routes::all().into_iter().map(|route| (route.path, route.method.to_string())).collect();
    assert_eq!(routes.difference(&known).collect::<Vec<_>>(), [] as [&_; 0], "not in the table");
    assert_eq!(known.difference(&routes).collect::<Vec<_>>(), [] as [&_; 0], "not in the router");
    assert_eq!(known.len(), TABLE.len(), "twice in the table");
}

#[tokio::test]
async fn no_route_opens_without_a_good_token() {
    let pool = pool().await;
    let all = json!(["enqueue", "priority", "read", "operate", "admin"]);
    let expired = make(&pool, json!({"name": "expired", "scopes": all, "ttl": "1ms"})).await;
    let revoked = make(&pool, json!({"name": "revoked", "scopes": all})).await;
    let request = pool.request(Method::DELETE, "/v1/tokens/revoked").bearer_auth(secret(Scope::Admin));
    assert_eq!(request.send().await.unwrap().status(), 200);
    let [expired, revoked, unknown] =
        [&expired, &revoked, "one-read-token1"].map(|secret| format!("Bearer {secret}"));
    let callers = [
        (None, "CP-1404"),
        (Some("Basic eDp5"), "CP-1404"),
        (Some("x"), "CP-1404"),
        (Some(unknown.as_str()), "CP-1404"),
        (Some(revoked.as_str()), "CP-1404"),
        (Some(expired.as_str()), "CP-1413"),
    ];
    // Together, because each wrong token is answered later.
    let asked = TABLE.iter().flat_map(|row| callers.map(|caller| (row, caller)));
    let asked = asked.map(async |(row, (header, code))| {
        let said = ask(&pool, row, header.map(|value| ("authorization", value))).await;
        if row.scopes.is_empty() {
            assert_eq!(said.0, 200, "{}: {header:?}", row.path);
        } else {
            assert_refused(&said, 401, code, None);
        }
    });
    join_all(asked).await;
    pool.stop().await;
}

#[tokio::test]
async fn every_route_asks_for_its_scope_and_no_other_opens_it() {
    let pool = pool().await;
    for scope in Scope::ALL {
        let made = make(&pool, json!({"name": format!("made-{scope}"), "scopes": [scope]})).await;
        for secret in [secret(scope), made] {
            for row in &TABLE {
                let opens = row.scopes.is_empty() || row.scopes.iter().any(|needed| scope.contains(*needed));
                let (status, body) = with_token(&pool, row, &secret).await;
                assert_ne!(status, 401, "{} {} with {scope}: {body}", row.method, row.path);
                assert_eq!(status != 403, opens, "{} {} with {scope}: {body}", row.method, row.path);
            }
        }
    }
    pool.stop().await;
}

#[tokio::test]
async fn no_route_shows_or_changes_what_is_another_tenants() {
    let pool = pool().await;
    let scopes = json!(["enqueue", "priority", "read"]);
    let acme = make(&pool, json!({"name": "acme", "scopes": scopes, "tenants": ["acme"]})).await;
    for row in &TABLE {
        let (status, body) = with_token(&pool, row, &acme).await;
        assert_eq!(status.as_u16(), row.of_another_tenant, "{} {}: {body}", row.method, row.path);
    }
    pool.stop().await;
}

#[tokio::test]
async fn no_route_answers_web_pages_of_another_origin() {
    let open = Pool::start(Config::default()).await;
    for row in &TABLE {
        for header in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
            assert_refused(&ask(&open, row, Some(header)).await, 403, "CP-1405", None);
        }
    }
    open.stop().await;
}

#[tokio::test]
async fn a_read_only_server_shows_everything_and_changes_nothing() {
    let mut config = Config::default();
    config.api.read_only = true;
    let pool = Pool::start(config).await;
    for row in &TABLE {
        let said = ask(&pool, row, None).await;
        if row.changes {
            assert_refused(&said, 403, "CP-1414", None);
        } else {
            assert_ne!(said.0, 403, "{} {}: {}", row.method, row.path, said.1);
        }
    }
    let (_, audit) = pool.call(Method::GET, "/v1/audit?outcome=done").await;
    assert_eq!(audit["items"], json!([]));
    pool.stop().await;
}
