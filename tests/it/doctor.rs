//! `clawpool doctor` with servers up, down and silent.

use std::path::Path;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Cli, Server, Servers, Settings, System, until};

const NOWHERE: &str = "http://127.0.0.1:1";

/// What it found, and its exit code.
async fn examine(cli: &Cli, config: Option<&Path>, more: &[&str]) -> (Value, i32) {
    let mut args = vec!["doctor", "--json"];
    let config = config.map(|path| path.to_str().unwrap().to_owned());
    args.extend(config.iter().flat_map(|path| ["--config", path.as_str()]));
    args.extend(more);
    let said = cli.run(&args).await;
    let report = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    (report, said.code.unwrap())
}

/// The findings of one check.
fn of<'a>(report: &'a Value, check: &str) -> Vec<&'a Value> {
    let findings = report["findings"].as_array().unwrap().iter().filter(|line| line["check"] == check);
    findings.collect()
}

#[track_caller]
fn assert_found(report: &Value, check: &str, status: &str, word: &str) {
    let found = of(report, check);
    let is_it = |line: &&&Value| line["status"] == status && line["text"].as_str().unwrap().contains(word);
    let line = found.iter().find(is_it).unwrap_or_else(|| panic!("{check} {status} {word}: {report:#}"));
    let needs_fix = status == "error" || status == "warning";
    assert_eq!(line["fix"].is_string(), needs_fix, "{line}");
}

fn write(folder: &Path, text: &str) -> std::path::PathBuf {
    let path = folder.join("pool.toml");
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn with_servers_that_are_down_each_check_says_how_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = "profile = \"cluster\"\nredis.url = \"redis://:x9Vb2kQe@127.0.0.1:1/0\"\n\
        rabbitmq.url = \"amqp://ada:x9Vb2kQe@127.0.0.1:1/%2f, amqp://ada:x9Vb2kQe@127.0.0.1:2/%2f\"\n";
    let config = write(folder.path(), text);
    let (report, code) = examine(&Cli::new(NOWHERE), Some(&config), &[]).await;
    assert_eq!((code, &report["status"]), (1, &json!("error")), "{report:#}");
    assert_found(&report, "configuration", "ok", "valid");
    assert_found(&report, "redis", "error", "127.0.0.1:1");
    assert_eq!(of(&report, "rabbitmq").len(), 2, "each address is asked: {report:#}");
    assert_found(&report, "rabbitmq", "error", "127.0.0.1:2");
    assert_found(&report, "dispatcher", "skipped", NOWHERE);
    assert_found(&report, "queues", "skipped", "store");
    for check in ["secrets", "sqlite", "disk", "memory", "open files", "clock", "workers", "alerts"] {
        assert_eq!(of(&report, check).len(), 1, "{check}: {report:#}");
    }
    assert!(!report.to_string().contains("x9Vb2kQe"), "{report:#}");
}

/// It answers the connection and says nothing.
#[tokio::test]
async fn a_silent_server_holds_nothing_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "profile = \"cluster\"\nredis.url = \"redis://{address}/0\"\nredis.timeout = \"1h\"\n\
        rabbitmq.url = \"amqp://{address}/%2f\"\n"
    );
    let config = write(folder.path(), &text);
    let cli = Cli::new(&format!("http://{address}"));
    let (report, code) = examine(&cli, Some(&config), &["--timeout", "2s"]).await;
    assert_eq!(code, 1, "{report:#}");
    assert_found(&report, "redis", "error", "");
    assert_found(&report, "rabbitmq", "error", "no answer");
    assert_found(&report, "memory", "ok", "free");
}

#[tokio::test]
async fn a_wrong_configuration_is_told_in_full_and_ends_with_78() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), "worker.slots = 0\nworkers = 3\n");
    let (report, code) = examine(&Cli::new(NOWHERE), Some(&config), &[]).await;
    assert_eq!(code, 78, "{report:#}");
    assert_found(&report, "configuration", "error", "worker.slots");
    assert_found(&report, "configuration", "error", "workers");
    assert_found(&report, "sqlite", "skipped", "configuration");
    assert_found(&report, "memory", "ok", "free");
}

#[tokio::test]
async fn before_the_first_start_nothing_is_wrong_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = write(folder.path(), &format!("embedded.data = {:?}\n", data.display().to_string()));
    let cli = Cli::new(NOWHERE);
    let (report, code) = examine(&cli, Some(&config), &[]).await;
    assert_eq!(code, 0, "{report:#}");
    assert_found(&report, "sqlite", "ok", "first start");
    assert!(!data.exists());
    let said = cli.run(&["doctor", "--config", config.to_str().unwrap()]).await;
    assert!(said.out.contains("dispatcher") && said.out.lines().count() > 10, "{said:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_secret_that_everybody_can_read_is_a_warning_and_counts_when_asked() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "6b1f0c9ad27e4835").unwrap();
    let data = folder.path().join("data").display().to_string();
    let secret = format!("file:{}", token.display());
    let text = format!(
        "embedded.data = {data:?}\n[[api.tokens]]\nname = \"shop\"\nsecret = {secret:?}\n\
        scopes = [\"read\"]\n"
    );
    let config = write(folder.path(), &text);
    std::fs::set_permissions(&config, PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::set_permissions(&token, PermissionsExt::from_mode(0o644)).unwrap();
    let cli = Cli::new(NOWHERE);
    let (report, code) = examine(&cli, Some(&config), &[]).await;
    assert_eq!((code, of(&report, "secrets").len()), (0, 1), "{report:#}");
    assert_found(&report, "secrets", "warning", "api.tokens[0].secret");
    assert_eq!(examine(&cli, Some(&config), &["--strict"]).await.1, 1);
    std::fs::set_permissions(&token, PermissionsExt::from_mode(0o600)).unwrap();
    assert_found(&examine(&cli, Some(&config), &[]).await.0, "secrets", "ok", "");
}

/// From the dispatcher, and from the store once that is gone.
#[tokio::test]
async fn tasks_that_nobody_serves_are_found() {
    let settings = Settings::quick().with("[[queues]]\nname = \"lonely\"\npriority = \"P4\"");
    let settings = settings.with("worker.queues = [\"critical.p0\"]");
    let mut system = System::embedded(1, settings).await;
    let cli = system.cli();
    let (report, code) = examine(&cli, Some(&system.config), &[]).await;
    assert_eq!(code, 0, "{report:#}");
    assert_found(&report, "dispatcher", "ok", "healthy");
    assert_found(&report, "workers", "ok", "1 live");
    assert_found(&report, "clock", "ok", "dispatcher");
    cli.ok(&["enqueue", "it.work", "{}", "--queue", "lonely"]).await;
    let report = until("the task that waits", async || {
        let (report, code) = examine(&cli, Some(&system.config), &[]).await;
        (code == 1).then_some(report)
    })
    .await;
    assert_found(&report, "queues", "error", "lonely");
    system.front.stop().await;
    let (report, _) = examine(&cli, Some(&system.config), &[]).await;
    assert_found(&report, "dispatcher", "skipped", "");
    assert_found(&report, "queues", "warning", "lonely");
}

#[tokio::test]
async fn servers_that_are_up_are_asked_and_left_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let servers = Servers::shared();
    let config = servers.settings().write(folder.path());
    let (report, code) = examine(&Cli::new(NOWHERE), Some(&config), &[]).await;
    assert_eq!(code, 0, "{report:#}");
    assert_found(&report, "redis", "ok", "Redis ");
    assert_found(&report, "rabbitmq", "ok", "RabbitMQ ");
    assert_found(&report, "rabbitmq", "ok", "quorum queue");
    assert_found(&report, "clock", "ok", "Redis");
    assert_found(&report, "workers", "ok", "no worker");
}

/// They answer, and are of no use.
#[tokio::test]
async fn a_redis_that_takes_no_writes_is_told_from_one_that_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Server::redis().await;
    let servers = Servers { redis: redis.url(), ..Servers::shared() };
    let config = servers.settings().write(folder.path());
    let cli = Cli::new(NOWHERE);
    for (begin, end, word) in [
        ("CONFIG SET maxmemory 100kb", "CONFIG SET maxmemory 0", "memory is full"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "replica"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "too few replicas"),
        ("CONFIG SET maxmemory-policy allkeys-lru", "CONFIG SET maxmemory-policy noeviction", "allkeys-lru"),
    ] {
        redis.send(&begin.split(' ').collect::<Vec<_>>()).await;
        let (report, code) = examine(&cli, Some(&config), &[]).await;
        assert_eq!(code, 1, "{begin}: {report:#}");
        assert_found(&report, "redis", "error", word);
        redis.send(&end.split(' ').collect::<Vec<_>>()).await;
    }
    assert_eq!(examine(&cli, Some(&config), &[]).await.1, 0);
}

#[tokio::test]
async fn a_rabbitmq_with_an_alarm_or_without_rights_is_found_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let rabbitmq = Server::rabbitmq().await;
    let servers = Servers { rabbitmq: rabbitmq.url(), ..Servers::shared() };
    let config = servers.settings().write(folder.path());
    let cli = Cli::new(NOWHERE);
    rabbitmq.control(&["set_vm_memory_high_watermark", "0.000001"]).await;
    let (report, code) = examine(&cli, Some(&config), &[]).await;
    assert_eq!(code, 1, "{report:#}");
    let alarm = of(&report, "rabbitmq").into_iter().find(|line| line["code"] == "CP-1202");
    assert!(alarm.is_some_and(|line| line["fix"].as_str().unwrap().contains("alarm")), "{report:#}");
    rabbitmq.control(&["set_vm_memory_high_watermark", "0.6"]).await;

    rabbitmq.control(&["add_user", "limited", "x9Vb2kQe"]).await;
    rabbitmq.control(&["set_permissions", "limited", "^$", "^$", "^$"]).await;
    let url = format!("rabbitmq.url={}", rabbitmq.url().replace("guest:guest", "limited:x9Vb2kQe"));
    let (report, code) = examine(&cli, Some(&config), &["--set", &url]).await;
    assert_eq!(code, 1, "{report:#}");
    assert_found(&report, "rabbitmq", "ok", "RabbitMQ ");
    let rights = of(&report, "rabbitmq").into_iter().find(|line| line["status"] == "error").unwrap();
    assert!(rights["fix"].as_str().unwrap().contains("set_permissions"), "{rights}");
    assert!(!report.to_string().contains("x9Vb2kQe"), "{report:#}");
    assert_eq!(rabbitmq.control(&["list_queues", "name"]).await.matches("doctor").count(), 0);
}
