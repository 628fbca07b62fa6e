//! What an operator is told: health, alerts and status say what is wrong while it is.

use std::time::Instant;

use clawpool_core::task::State;
use reqwest::Method;
use serde_json::{Value, json};

#[cfg(target_os = "linux")]
use crate::support::can_mount;
use crate::support::{Api, Event, Server, Servers, Settings, System, task, until};

async fn health(api: &Api) -> (u16, Value) {
    let (status, body) = api.ask(api.request(Method::GET, "health")).await;
    (status.as_u16(), body)
}

async fn readiness(api: &Api) -> u16 {
    api.ask(api.request(Method::GET, "readyz")).await.0.as_u16()
}

/// Until `/health` has this status; its whole answer.
async fn status(api: &Api, wanted: &str) -> Value {
    until(&format!("health to be {wanted}"), async || {
        let body = health(api).await.1;
        (body["status"] == wanted).then_some(body)
    })
    .await
}

/// Until there is an alert of this event; its text.
async fn alert(api: &Api, event: &str) -> String {
    until(&format!("an alert {event}"), async || {
        let page: Value = api.get("v1/alerts?limit=100").await;
        let found = page["items"].as_array()?.iter().find(|alert| alert["event"] == event)?;
        Some(found["text"].as_str()?.to_owned())
    })
    .await
}

#[tokio::test]
async fn a_memory_alarm_and_a_stopped_rabbitmq_are_told_until_they_are_over() {
    let mut rabbitmq = Server::rabbitmq().await;
    let servers = Servers { rabbitmq: rabbitmq.url(), ..Servers::shared() };
    let system = System::apart(1, servers.settings()).await;
    let api = &system.api;
    status(api, "healthy").await;

    rabbitmq.control(&["set_vm_memory_high_watermark", "0.000001"]).await;
    let asked = Instant::now();
    let body = status(api, "degraded").await;
    println!("degraded {:?} after the alarm", asked.elapsed());
    let services = &body["services"];
    assert_eq!((&services["store"], &services["redis"]), (&json!("up"), &json!("up")), "{body}");
    for name in ["broker", "rabbitmq"] {
        let state = services[name].as_str().unwrap();
        assert!(state.starts_with("degraded: RabbitMQ"), "it answers and takes nothing: {body}");
    }
    assert_eq!(readiness(api).await, 200, "P0 and P1 are taken");
    let reason = &body["reasons"][0];
    assert_eq!(reason["subject"], "rabbitmq", "{body}");
    assert!(reason["text"].as_str().unwrap().contains("RabbitMQ"), "{body}");
    assert!(alert(api, "broker_trouble").await.contains("RabbitMQ"));
    // P0 lives on Redis.
    let urgent = api.enqueue(task("P0", json!({}))).await;
    api.finished(urgent).await;
    let said = system.cli().run(&["health"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("degraded") && said.out.contains("CP-1621"), "{said:?}");
    assert!(said.out.lines().any(|line| line.starts_with("rabbitmq")), "{said:?}");

    rabbitmq.control(&["set_vm_memory_high_watermark", "0.6"]).await;
    status(api, "healthy").await;
    rabbitmq.kill().await;
    let body = status(api, "degraded").await;
    assert!(body["services"]["broker"].as_str().unwrap().starts_with("down: RabbitMQ"), "{body}");
    rabbitmq.restart().await;
    status(api, "healthy").await;
    system.stop().await;
}

#[tokio::test]
async fn while_its_servers_are_away_a_dispatcher_says_that_it_starts() {
    let mut redis = Server::redis().await;
    let servers = Servers { redis: redis.url(), ..Servers::shared() };
    redis.kill().await;
    let system = System::starting(servers.settings()).await;
    let api = &system.api;
    let (code, body) = health(api).await;
    assert_eq!((code, &body["status"]), (503, &json!("starting")), "{body}");
    assert_eq!(readiness(api).await, 503);
    let (alive, _) = api.ask(api.request(Method::GET, "livez")).await;
    assert_eq!(alive, 200, "a restart would not help");
    until("the server's name", async || (health(api).await.1["waiting_for"] == "redis").then_some(())).await;
    let response = api.request(Method::POST, "v1/tasks").json(&task("P0", json!({}))).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    let refusal: Value = response.json().await.unwrap();
    assert!(refusal["message"].as_str().unwrap().contains("redis"), "{refusal}");
    let said = system.cli().run(&["health"]).await;
    assert!(said.code == Some(1) && said.out.contains("starting"), "{said:?}");
    redis.restart().await;
    let body = status(api, "healthy").await;
    assert_eq!(readiness(api).await, 200);
    assert_eq!(body["services"]["rabbitmq"], "up", "{body}");
    // Its watch and the election; it leads.
    until("all loops to turn", async || {
        let loops = health(api).await.1["loops"].clone();
        (loops == json!({"running": 8, "healthy": 8})).then_some(())
    })
    .await;
    system.stop().await;
}

/// A program of the user's own says whether a service is well.
#[tokio::test]
async fn a_probed_service_that_is_down_is_told_until_it_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let well = folder.path().join("well");
    let settings = Settings::quick().with(&format!(
        "[[probes]]\nname = \"mill\"\nlayer = \"exec\"\ncommand = [\"test\", \"-e\", {well:?}]\n\
         interval = \"200ms\"\nfailures = 2"
    ));
    let system = System::embedded(1, settings).await;
    let api = &system.api;
    let body = status(api, "degraded").await;
    assert!(body["services"]["mill"].as_str().unwrap().contains("exit code 1"), "{body}");
    assert_eq!((&body["services"]["sqlite"], readiness(api).await), (&json!("up"), 200), "{body}");
    assert!(alert(api, "service_down").await.contains("exit code 1"));
    let said = system.cli().run(&["health"]).await;
    assert!(said.code == Some(1) && said.out.lines().any(|line| line.starts_with("mill")), "{said:?}");
    assert_eq!(system.cli().run(&["health", "--ready"]).await.code, Some(0));
    std::fs::write(&well, "").unwrap();
    status(api, "healthy").await;
    system.stop().await;
}

/// A pool whose worker dies at its start has no worker, and the status says what it waits for.
#[tokio::test]
async fn a_pool_whose_breaker_is_open_shows_no_worker_and_why() {
    let settings = Settings::quick().with(
        "[[pools]]\nname = \"it\"\nworkers = 1\ncommand = [\"false\"]\n\
         restart = { initial = \"10ms\", max = \"50ms\", breaker = { open = \"1h\" } }",
    );
    let system = System::embedded(0, settings).await;
    let pool = until("a status that tells of the breaker", async || {
        let view: Value = system.api.get("v1/autoscaler").await;
        let pool = view["items"].as_array()?.first()?.clone();
        (pool["trouble"].as_str()?.contains("CP-1604") && pool["current"] == 0).then_some(pool)
    })
    .await;
    assert_eq!((&pool["pool"], &pool["wanted"]), (&json!("it"), &json!(1)), "{pool}");
    let trouble = pool["trouble"].as_str().unwrap();
    assert!(
        trouble.contains("the next start is in 3") && trouble.contains("workers restart it"),
        "{trouble}"
    );
    let metrics = system.api.request(Method::GET, "metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("clawpool_pool_size{pool=\"it\"} 0"), "{metrics}");
    assert!(system.cli().ok(&["autoscaler", "status"]).await.contains("CP-1604"));
    system.stop().await;
}

/// A file system without a free byte, in a namespace of the program under test.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_told_until_there_is_room_and_costs_no_task() {
    if !can_mount() {
        println!(
            "not tested: this system lets its users mount nothing (unshare --user --map-root-user --mount)"
        );
        return;
    }
    let system = System::embedded_on_small_disk(1, Settings::quick()).await;
    let api = &system.api;
    let ledger = &system.ledger;
    api.finished(api.enqueue(task("P0", json!({}))).await).await;
    let runs = api.enqueue(task("P4", json!({"ms": 2000}))).await;
    system.fill_disk().await;
    let mut accepted = vec![runs];
    let letter = "x".repeat(100_000);
    let refusal = loop {
        let (status, answer) = api.post("v1/tasks", &task("P4", json!({"letter": letter}))).await;
        match answer["id"].as_str() {
            Some(id) if status.is_success() => accepted.push(id.parse().unwrap()),
            _ => break (status, answer),
        }
    };
    assert_eq!(refusal.0, 503, "{}", refusal.1);
    let body = status(api, "degraded").await;
    let reason = body["reasons"][0]["text"].as_str().unwrap();
    assert!(reason.contains("no space is left"), "{body}");
    system.free_disk().await;
    status(api, "healthy").await;
    assert!(alert(api, "store_trouble").await.contains("no space is left"));
    println!("{} tasks were accepted beside a full disk", accepted.len());
    for id in accepted {
        assert_eq!(api.finished(id).await.state, State::Completed);
        assert_eq!(ledger.times(id, Event::Done), 1);
    }
    assert_eq!(api.workers().await.iter().filter(|worker| worker.alive).count(), 1, "no worker left");
    system.stop().await;
}
