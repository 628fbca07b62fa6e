//! Listings that look inside of tasks, counts, short ids, and changes of priority.

use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{answer, assert_refused, pool::Pool};
use clawpool_core::{
    config::{Config, Scope, Token},
    task::{IdEnd, Queue, State, TaskId},
};

async fn pool() -> Pool {
    Pool::start(Config::default()).await
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

const ALIKE: [&str; 2] = ["01920000-0000-7000-8000-0000abcdef01", "01920000-0000-7000-8000-1111abcdef01"];

#[tokio::test]
async fn a_task_is_named_by_the_end_of_its_id() {
    let pool = pool().await;
    let id = pool.enqueue(&json!({"kind": "a", "delay": "1h"})).await;
    let end = IdEnd::of(id).to_string();
    for path in [format!("/v1/tasks/{end}"), format!("/v1/tasks/{end}/logs")] {
        let (status, task) = pool.call(Method::GET, &path).await;
        assert_eq!((status.as_u16(), &task["id"]), (200, &json!(id)), "{path}");
    }
    assert_eq!(pool.call(Method::POST, &format!("/v1/tasks/{end}/run")).await.1["id"], json!(id));
    let (_, cancelled) = pool.call(Method::DELETE, &format!("/v1/tasks/{}", end.to_uppercase())).await;
    assert_eq!(cancelled["id"], json!(id));
    let dead = pool.kill(&json!({"kind": "b"}), "no").await;
    let end = IdEnd::of(dead).to_string();
    assert_eq!(pool.call(Method::GET, &format!("/v1/dead/{end}")).await.1["id"], json!(dead));
    let (_, count) = pool.post_json("/v1/dead/requeue", json!({"ids": [end]}).to_string()).await;
    assert_eq!(count["count"], 1);
    pool.stop().await;
}

#[tokio::test]
async fn an_end_of_several_ids_or_of_none_names_no_task() {
    let pool = pool().await;
    for id in ALIKE {
        pool.enqueue(&json!({"kind": "a", "id": id})).await;
    }
    let ambiguous = pool.call(Method::GET, "/v1/tasks/abcdef01").await;
    assert_refused(&ambiguous, 409, "CP-1431", Some("id"));
    let message = ambiguous.1["message"].as_str().unwrap();
    assert!(ALIKE.iter().all(|id| message.contains(id)), "{message}");
    assert_eq!(pool.call(Method::GET, "/v1/tasks/1111abcdef01").await.1["id"], ALIKE[1]);
    assert_refused(&pool.call(Method::GET, "/v1/tasks/bbbbbb").await, 404, "CP-1406", None);
    assert_refused(&pool.call(Method::GET, "/v1/tasks/abcde").await, 400, "CP-1402", Some("id"));
    let body = json!({"ids": [ALIKE[0], "abcdef01"]}).to_string();
    assert_refused(&pool.post_json("/v1/tasks/cancel", body).await, 409, "CP-1431", Some("ids[1]"));
    pool.stop().await;
}

fn token(name: &str, scopes: &[Scope], tenants: &[&str]) -> Token {
    Token {
        name: name.into(),
        secret: SecretString::from(format!("the-secret-of-{name}")),
        scopes: scopes.to_vec(),
        tenants: tenants.iter().map(|&tenant| tenant.to_owned()).collect(),
        queues: vec![],
    }
}

/// What others have makes an end neither ambiguous nor known.
#[tokio::test]
async fn a_token_of_one_tenant_sees_its_own_tasks_alone() {
    let mut config = Config::default();
    config.api.tokens =
        vec![token("all", &[Scope::Enqueue, Scope::Read], &[]), token("acme", &[Scope::Read], &["acme"])];
    let pool = Pool::start(config).await;
    let ask = async |name: &str, method: Method, path: &str, body: Value| {
        let request = pool.request(method, path).bearer_auth(format!("the-secret-of-{name}")).json(&body);
        answer(request.send().await.unwrap()).await
    };
    for (id, tenant) in ALIKE.iter().zip(["acme", "beta"]) {
        let task = json!({"kind": "a", "id": id, "tenant": tenant, "session": "s", "payload": "Ann"});
        assert_eq!(ask("all", Method::POST, "/v1/tasks", task).await.0, 201);
    }
    let look = async |name: &str, path: &str| ask(name, Method::GET, path, Value::Null).await;
    assert_refused(&look("all", "/v1/tasks/abcdef01").await, 409, "CP-1431", Some("id"));
    assert_eq!(look("acme", "/v1/tasks/abcdef01").await.1["id"], ALIKE[0]);
    assert_refused(&look("acme", "/v1/tasks/1111abcdef01").await, 404, "CP-1406", None);
    for filter in ["session=s", "text=ann", "kind=*"] {
        assert_eq!(ids(&look("acme", &format!("/v1/tasks?{filter}")).await.1), [ALIKE[0]], "{filter}");
    }
    let counts = look("acme", "/v1/tasks/counts").await.1;
    assert_eq!((&counts["states"], counts.get("since_start")), (&json!({"queued": 1}), None));
    assert_eq!(look("all", "/v1/tasks/counts").await.1["since_start"]["enqueued"], 2);
    pool.stop().await;
}

#[tokio::test]
async fn tasks_and_letters_are_found_by_what_is_inside() {
    let pool = pool().await;
    let task = |session: &str, origin: &str, to: &str| {
        let payload = json!({"to": to});
        json!({"kind": "email.send", "session": session, "meta": {"origin": origin}, "payload": payload})
    };
    let first = pool.enqueue(&task("s1", "web", "Ann")).await.to_string();
    let second = pool.enqueue(&task("s2", "web", "Bob")).await.to_string();
    let dead = pool.kill(&task("s1", "ftp", "Bob"), "no").await.to_string();
    let cases: [(&str, Vec<&String>); 7] = [
        ("session=s1", vec![&dead, &first]),
        ("tag=origin%3Dweb", vec![&second, &first]),
        ("tag=origin", vec![&dead, &second, &first]),
        ("text=bob", vec![&dead, &second]),
        ("text=WEB&state=queued&kind=email.*", vec![&second, &first]),
        ("text=carol", vec![]),
        ("session=s1&state=dead", vec![&dead]),
    ];
    for (filter, expected) in cases {
        let (status, page) = pool.call(Method::GET, &format!("/v1/tasks?{filter}")).await;
        assert_eq!(status, 200, "{page}");
        assert_eq!(ids(&page).iter().collect::<Vec<_>>(), expected, "{filter}");
        assert!(page["looked_at"].as_u64().is_some_and(|looked_at| looked_at <= 3), "{page}");
    }
    for filter in ["session=s1", "tag=origin=ftp", "text=bob"] {
        assert_eq!(ids(&pool.call(Method::GET, &format!("/v1/dead?{filter}")).await.1), [dead.as_str()]);
    }
    assert_eq!(ids(&pool.call(Method::GET, "/v1/dead?session=s2").await.1).len(), 0);
    let long = format!("/v1/tasks?text={}", "x".repeat(257));
    assert_refused(&pool.call(Method::GET, &long).await, 400, "CP-1402", Some("text"));
    let body = json!({"filter": {"text": "ann"}}).to_string();
    let (_, cancelled) = pool.post_json("/v1/tasks/cancel", body).await;
    assert_eq!(cancelled, json!({"changed": 1}));
    let body = json!({"filter": {"text": "carol"}}).to_string();
    assert_eq!(pool.post_json("/v1/dead/discard", body).await.1["count"], 0);
    let body = json!({"filter": {"tag": "origin"}}).to_string();
    assert_eq!(pool.post_json("/v1/dead/discard", body).await.1["count"], 1);
    pool.stop().await;
}

#[tokio::test]
async fn counts_are_of_states_and_kinds() {
    let pool = pool().await;
    for kind in ["email.send", "email.send", "voice.call"] {
        pool.enqueue(&json!({"kind": kind})).await;
    }
    pool.enqueue(&json!({"kind": "voice.call", "delay": "1h"})).await;
    let (_, counts) = pool.call(Method::GET, "/v1/tasks/counts").await;
    let expected = json!({
        "states": {"queued": 3, "scheduled": 1},
        "kinds": {"email.send": {"queued": 2}, "voice.call": {"queued": 1, "scheduled": 1}},
        "looked_at": 4,
        "exact": true,
        "since_start": {"enqueued": 4, "completed": 0, "retried": 0, "dead": 0, "cancelled": 0},
    });
    assert_eq!(counts, expected);
    let (_, voice) = pool.call(Method::GET, "/v1/tasks/counts?kind=voice.*&state=queued").await;
    assert_eq!((&voice["states"], &voice["exact"]), (&json!({"queued": 1}), &json!(true)));
    pool.stop().await;
}

#[tokio::test]
async fn a_change_of_priority_moves_what_waits_and_leaves_what_runs() {
    let pool = pool().await;
    pool.beat(0).await;
    let running = pool.enqueue(&json!({"kind": "email.send"})).await;
    pool.run(running).await;
    let waiting = pool.enqueue(&json!({"kind": "email.send"})).await;
    let later = pool.enqueue(&json!({"kind": "email.send", "delay": "1h"})).await;
    let other = pool.enqueue(&json!({"kind": "report.make"})).await;
    let queue = async |id: TaskId| pool.store.record(id).await.unwrap().unwrap().queue;
    let change = async |body: Value| pool.post_json("/v1/tasks/priority", body.to_string()).await;
    let dry = json!({"filter": {"kind": "email.*"}, "to": "P1", "dry_run": true});
    assert_eq!(change(dry).await.1, json!({"changed": 2}));
    assert_eq!(queue(waiting).await, Queue::P4);
    let (status, changed) = change(json!({"filter": {"kind": "email.*"}, "to": "P1"})).await;
    assert_eq!((status.as_u16(), &changed["changed"]), (200, &json!(2)), "{changed}");
    for id in [waiting, later] {
        let record = pool.store.record(id).await.unwrap().unwrap();
        assert_eq!((record.queue, record.state), (Queue::P1, State::Scheduled));
    }
    assert_eq!((queue(running).await, queue(other).await), (Queue::P4, Queue::P4));
    let named = json!({"ids": [running, waiting, later, TaskId::new()], "to": "background"});
    let (_, changed) = change(named).await;
    assert_eq!((&changed["changed"], &changed["skipped"]), (&json!(2), &json!(2)), "{changed}");
    assert_refused(&change(json!({"all": true})).await, 400, "CP-1402", Some("to"));
    assert_refused(&change(json!({"all": true, "to": "nowhere"})).await, 404, "CP-1406", Some("to"));
    assert_refused(&change(json!({"to": "P1"})).await, 400, "CP-1401", None);
    let body = json!({"all": true, "to": "P1"}).to_string();
    assert_refused(&pool.post_json("/v1/tasks/run", body).await, 400, "CP-1402", Some("to"));
    let over = json!({"filter": {"states": ["completed"]}, "to": "P1"});
    assert_refused(&change(over).await, 400, "CP-1402", Some("filter.states"));
    pool.stop().await;
}
