//! What `config/watch` gives to Prometheus and Grafana, against a program that runs tasks and a Prometheus
//! that reads it.

mod expression;
mod prometheus;

use std::{collections::BTreeMap, path::PathBuf, process::Stdio};

use clawpool_server::telemetry::{Metric, OWN, WHOLE};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

use self::{expression::Expression, prometheus::Prometheus};
use crate::support::{Api, Settings, System, in_time, task, until};

/// Where the files lie that users take.
fn watch() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/watch"))
}

/// Metrics that this pool does not show, and why.
const ABSENT: [(&str, &str); 3] = [
    ("clawpool_reconnects_total", "no connection was lost"),
    ("clawpool_event_streams_refused_total", "there was room for every stream"),
    ("clawpool_event_streams_cut_total", "no reader was stuck"),
];

/// Metrics that some systems do not tell of.
const NOT_EVERYWHERE: [&str; 8] = [
    "clawpool_host_io_wait_ratio",
    "clawpool_host_disk_used_bytes",
    "clawpool_host_disk_bytes",
    "clawpool_host_disk_read_bytes_per_second",
    "clawpool_host_disk_written_bytes_per_second",
    "clawpool_host_disk_busy_ratio",
    "clawpool_host_disk_queue",
    "clawpool_host_network_queue_bytes",
];

fn metrics() -> impl Iterator<Item = &'static Metric> {
    WHOLE.iter().chain(OWN)
}

/// A pool that grows and shrinks, with a probe.
async fn system() -> System {
    let settings = Settings::quick().shell("llm.reply", "cat").with(
        r#"
        pools = [{ name = "it", min = 1, max = 2, slots = 4, reserved = 0 }]
        probes = [{ name = "true", layer = "exec", command = ["true"] }]
        "#,
    );
    System::embedded(1, settings).await
}

/// Everything happens that a metric tells of.
async fn run_tasks(api: &Api) {
    let mut tasks = vec![
        task("P0", json!({})),
        task("P4", json!({"failures": 1})),
        task("P4", json!({"status": 400})),
        json!({"kind": "llm.reply", "tenant": "acme"}),
    ];
    tasks.extend((0..20).map(|_| task("P4", json!({}))));
    for id in api.enqueue_all(tasks).await {
        api.finished(id).await;
    }
    let (status, _) = api.post("v1/tasks", &json!({"kind": "it.work", "priority": "P0", "tags": 7})).await;
    assert_eq!(status, 400);
    let far = "9".repeat(200);
    let (_, refused) = api.post("v1/tasks", &json!({"kind": far})).await;
    assert!(refused["code"].is_string(), "{refused}");
}

async fn scrape(system: &System) -> String {
    let request = system.api.request(Method::GET, "metrics");
    in_time("/metrics", async { request.send().await.unwrap().text().await.unwrap() }).await
}

/// Once the window is over in which the attempts ended, and the machine was looked at.
async fn full_scrape(system: &System) -> String {
    until("attempts and machines in /metrics", async || {
        let text = scrape(system).await;
        let has = |name: &str| text.contains(&format!("\n{name}{{"));
        (has("clawpool_tasks_recovered_total") && has("clawpool_host_load")).then_some(text)
    })
    .await
}

/// The labels of each metric's samples, by its name without `_bucket` and the like.
fn families(text: &str) -> BTreeMap<String, Vec<String>> {
    let typed: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let names: Vec<&str> = typed.iter().filter_map(|line| line.split(' ').next()).collect();
    let mut families = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (sample, labels) = line.rsplit_once(' ').unwrap().0.split_once('{').unwrap_or((line, ""));
        let sample = sample.split(' ').next().unwrap();
        let family = names
            .iter()
            .find(|name| {
                ["", "_bucket", "_sum", "_count"].iter().any(|part| sample == format!("{name}{part}"))
            })
            .unwrap_or_else(|| panic!("{sample} has no type"));
        let labels = labels.split("\",").filter_map(|label| label.split_once("=\"")).map(|(name, _)| name);
        let labels: Vec<String> = labels.filter(|name| *name != "le").map(str::to_owned).collect();
        families.insert((*family).to_owned(), labels);
    }
    families
}

fn assert_described(text: &str) {
    let families = families(text);
    for (name, labels) in &families {
        let metric = metrics().find(|metric| metric.name == *name);
        let metric = metric.unwrap_or_else(|| panic!("{name} is in /metrics and not described"));
        assert_eq!(labels, metric.labels, "{name}");
    }
    for metric in metrics().filter(|metric| !families.contains_key(metric.name)) {
        let known = ABSENT.iter().any(|(name, _)| *name == metric.name);
        assert!(
            known || NOT_EVERYWHERE.contains(&metric.name),
            "{} is not in /metrics:\n{text}",
            metric.name
        );
    }
}

async fn promtool(args: &[&str], input: &str) {
    let mut command = Command::new("promtool");
    command.args(args).current_dir(watch()).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool of Debian's package prometheus: tests/run installs it");
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = in_time(&format!("promtool {args:?}"), child.wait_with_output()).await.unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "promtool {args:?}: {said}");
    assert!(input.is_empty() || said.trim().is_empty(), "promtool {args:?}: {said}");
}

/// Every query of the dashboards: its panel, itself, its legend.
fn queries() -> Vec<(String, String, String)> {
    let folder = watch().join("grafana/dashboards");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut queries = Vec::new();
    for file in files.filter(|file| file.extension().is_some_and(|end| end == "json")) {
        let board: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for panel in board["panels"].as_array().unwrap() {
            let panel_name = format!("{}: {}", text(&board["title"]), text(&panel["title"]));
            let targets = panel["targets"].as_array().unwrap();
            let query =
                |target: &Value| (panel_name.clone(), text(&target["expr"]), text(&target["legendFormat"]));
            queries.extend(targets.iter().map(query));
        }
    }
    assert!(queries.len() > 60, "{}", queries.len());
    queries
}

#[tokio::test]
async fn a_prometheus_reads_it_and_every_rule_and_every_query_of_the_dashboards_has_data() {
    let system = system().await;
    let prometheus = Prometheus::start(&watch(), &system.api.url).await;
    // A rise is one from a value that was read before.
    prometheus.data("the totals of queues", "clawpool_tasks_dead_total").await;
    run_tasks(&system.api).await;
    let text = full_scrape(&system).await;
    promtool(&["check", "metrics"], &text).await;
    assert_described(&text);

    let rules = prometheus.rules().await;
    let recorded: Vec<&str> = rules.iter().filter_map(|rule| rule.recorded.as_deref()).collect();
    for rule in &rules {
        Expression(&rule.query).assert_known(&recorded);
    }
    for (panel, query, legend) in queries() {
        Expression(&query).assert_known(&recorded);
        let nowhere = Expression(&query).metrics().any(|name| NOT_EVERYWHERE.contains(&name));
        if nowhere && !Expression(&query).metrics().all(|name| text.contains(&format!("\n{name}{{"))) {
            println!("{panel}: this system does not tell: {query}");
            continue;
        }
        let labels = prometheus.data(&panel, &query).await;
        let fallback = query.ends_with("vector(0)");
        for label in legend.split("{{").skip(1).filter_map(|part| part.split("}}").next()) {
            assert!(fallback || labels.contains(label), "{panel}: no label {label} in {query}: {labels:?}");
        }
    }
    prometheus.stop().await;
    system.stop().await;
}

#[tokio::test]
async fn each_alert_fires_when_it_should_and_not_before() {
    tokio::join!(
        promtool(&["test", "rules", "tests/alerts.yml"], ""),
        promtool(&["test", "rules", "tests/days.yml"], ""),
        promtool(&["check", "config", "local.yml"], ""),
        promtool(&["check", "config", "--syntax-only", "prometheus.yml"], ""),
    );
    let read = |name: &str| std::fs::read_to_string(watch().join(name)).unwrap();
    let tests = read("tests/alerts.yml") + &read("tests/days.yml");
    let page = std::fs::read_to_string(watch().join("../../docs/monitoring.md")).unwrap();
    for line in read("rules/alerts.yml").lines() {
        let Some(alert) = line.trim().strip_prefix("- alert: ") else { continue };
        assert!(tests.contains(&format!("alertname=\"{alert}\"")), "{alert} has no test");
        assert!(page.contains(&format!("`{alert}`")), "docs/monitoring.md lacks {alert}");
    }
}
