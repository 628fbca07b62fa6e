//! Promises and series, of attempts that were counted.

use std::{collections::HashSet, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use super::{assert_refused, pool::Pool};
use clawpool_backends::store::{End, HostWindow, Role, Settlement};
use clawpool_core::{
    config::Config,
    figures::{AttemptEnd, Attempts, Counter, HostFigures, Machine, Step, Subject},
    task::{Payload, Queue, Timestamp},
};

/// An attempt of this kind ends, after so many milliseconds of waiting.
async fn attempt(pool: &Pool, kind: &str, wait: u64) {
    let id = pool.enqueue(&json!({"kind": kind, "priority": "P4"})).await;
    let claimed = pool.run(id).await;
    let subject = Subject::new(Queue::P4.name(), kind);
    let end = Counter::Attempts(Attempts {
        subject: subject.clone(),
        pool: "general".into(),
        version: "1.2.3".into(),
        end: AttemptEnd::Completed,
        class: String::new(),
    });
    let mut counters =
        vec![end, subject.wait(Duration::from_millis(wait)), subject.run(Duration::from_millis(7))];
    if wait > 30_000 {
        counters.push(Counter::Late(Queue::P4.name().into()));
    }
    let counters = counters.iter().map(|counter| counter.name().into()).collect();
    let end = End::Completed { result: Payload::null(), keep: Duration::from_secs(60) };
    let settlement = Settlement { counters, ..Settlement::uncounted(claimed, end) };
    assert_eq!(pool.store.settle(pool.worker, &[settlement]).await.unwrap(), [true]);
}

async fn counted() -> Pool {
    let pool = Pool::start(Config::default()).await;
    for (kind, wait) in [("email.send", 20), ("email.send", 20), ("email.send", 31_000), ("web.fetch", 90)] {
        attempt(&pool, kind, wait).await;
    }
    pool
}

#[tokio::test]
async fn a_promise_is_judged_by_its_starts() {
    let pool = counted().await;
    let (status, sla) = pool.call(Method::GET, "/v1/sla").await;
    assert_eq!(status, 200, "{sla}");
    let class = |priority| {
        let items = sla["items"].as_array().unwrap();
        items.iter().find(|class| class["priority"] == priority).unwrap().clone()
    };
    let p4 = class("P4");
    assert_eq!((&p4["promise_ms"], &p4["objective"]), (&json!(30_000), &json!(0.99)));
    for span in ["5m", "1h", "1d", "30d"] {
        let kept = &p4["spans"][span];
        assert_eq!((&kept["starts"], &kept["late"], &kept["kept"]), (&json!(4), &json!(1), &json!(0.75)));
        assert!((kept["burn_rate"].as_f64().unwrap() - 25.0).abs() < 1e-6, "{kept}");
        assert!((kept["budget_left"].as_f64().unwrap() + 24.0).abs() < 1e-6, "{kept}");
        let p99 = kept["p99_ms"].as_f64().unwrap();
        assert!((p99 - 31_000.0).abs() < 31_000.0 / 16.0, "{kept}");
    }
    let p0 = &class("P0")["spans"]["1h"];
    assert_eq!((&p0["starts"], &p0["kept"], &p0["burn_rate"]), (&json!(0), &Value::Null, &json!(0.0)));
    pool.stop().await;
}

#[tokio::test]
async fn a_series_has_a_window_for_every_step_and_can_be_of_one_kind() {
    let pool = counted().await;
    let (status, all) = pool.call(Method::GET, "/v1/figures?step=10s").await;
    assert_eq!((status.as_u16(), &all["step"]), (200, &json!("10s")), "{all}");
    let windows = all["items"].as_array().unwrap();
    assert!((60..=61).contains(&windows.len()), "{}", windows.len());
    let completed = |answer: &Value| -> u64 {
        let windows = answer["items"].as_array().unwrap();
        windows.iter().filter_map(|window| window["attempts"]["completed"].as_u64()).sum()
    };
    assert_eq!(completed(&all), 4);
    for (query, expected) in [
        ("step=1m&kind=email.send", 3),
        ("step=1h&queue=normal.p4", 4),
        ("step=1d&queue=critical.p0", 0),
        ("step=15m&queue=normal.p4&kind=web.fetch", 1),
    ] {
        let (_, answer) = pool.call(Method::GET, &format!("/v1/figures?{query}")).await;
        assert_eq!(completed(&answer), expected, "{query}");
    }
    pool.stop().await;
}

#[tokio::test]
async fn what_cannot_be_a_series_is_refused() {
    let pool = Pool::start(Config::default()).await;
    let step = pool.call(Method::GET, "/v1/figures?step=2m").await;
    assert_refused(&step, 400, "CP-1402", Some("step"));
    let long = pool.call(Method::GET, "/v1/figures?step=10s&from=2020-01-01T00:00:00Z").await;
    assert_refused(&long, 400, "CP-1402", Some("from"));
    pool.stop().await;
}

/// As `promtool check metrics` wants it.
#[tokio::test]
async fn every_metric_has_a_help_and_a_type() {
    let pool = counted().await;
    let (_, text) = pool.call(Method::GET, "/metrics").await;
    let text = text.as_str().unwrap();
    let named = |start: &str| -> HashSet<&str> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(start));
        lines.filter_map(|line| line.split(' ').next()).collect()
    };
    let helped = named("# HELP ");
    let typed = named("# TYPE ");
    assert!(typed.contains("clawpool_build_info") && typed.contains("clawpool_queue_ready"));
    let without: Vec<_> = typed.difference(&helped).collect();
    assert!(without.is_empty(), "{without:?} have no help");
    let families = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    for line in families {
        let name = line.split(['{', ' ']).next().unwrap();
        let is_typed = ["", "_bucket", "_sum", "_count"]
            .iter()
            .any(|part| name.strip_suffix(part).is_some_and(|family| typed.contains(family)));
        assert!(is_typed, "{name} has no type");
    }
    pool.stop().await;
}

#[tokio::test]
async fn machines_have_windows_of_their_own() {
    let pool = Pool::start(Config::default()).await;
    let fence =
        pool.store.lead(Role::Maintenance, pool.worker, Duration::from_secs(60)).await.unwrap().unwrap();
    let now = Timestamp::now();
    let machine = Machine { cpus: 4, cpu_ratio: Some(0.5), ..Machine::default() };
    for (ago, hosts) in [(40, &["a", "b"][..]), (20, &["a"])] {
        let at = Step::TenSeconds.window(Timestamp::from_millis(now.as_millis() - ago * 1000));
        let hosts = hosts.iter().map(|host| ((*host).to_owned(), HostFigures::of(&machine))).collect();
        pool.store.put_host_figures(fence, Step::TenSeconds, &HostWindow { at, hosts }).await.unwrap();
    }
    let (status, all) = pool.call(Method::GET, "/v1/hosts/series?from=10m").await;
    assert_eq!((status.as_u16(), &all["step"], &all["step_s"]), (200, &json!("10s"), &json!(10)), "{all}");
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "{all}");
    let (_, one) = pool.call(Method::GET, "/v1/hosts/series?host=a&step=15m&from=20m").await;
    assert_eq!(one["items"][0]["host"], "a", "{one}");
    let windows = one["items"][0]["windows"].as_array().unwrap();
    let samples: u64 = windows.iter().map(|window| window["samples"].as_u64().unwrap()).sum();
    assert_eq!((samples, &windows[0]["machine"]["cpu_ratio"]), (2, &json!(0.5)), "{one}");
    for (query, field) in [("step=1d", "step"), ("step=10s&from=2h", "from"), ("of=a", "of")] {
        let refused = pool.call(Method::GET, &format!("/v1/hosts/series?{query}")).await;
        assert_refused(&refused, 400, "CP-1402", Some(field));
    }
    pool.stop().await;
}
