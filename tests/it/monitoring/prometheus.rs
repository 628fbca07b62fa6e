use std::{collections::BTreeSet, fs, path::Path};

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{Api, Process, free_port, until};

/// Debian's Prometheus with the files of `config/watch`, on a port and in a folder of its own; in a hurry.
pub struct Prometheus {
    api: Api,
    process: Process,
    _folder: TempDir,
}

pub struct Rule {
    /// The name of what it records.
    pub recorded: Option<String>,
    pub query: String,
}

impl Prometheus {
    /// Reads the program at `url`.
    pub async fn start(watch: &Path, url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = url.trim_start_matches("http://");
        let hasty = |text: String| {
            let text = text.replace("127.0.0.1:7070", target);
            ["10s", "5s", "1m"].iter().fold(text, |text, span| {
                text.replace(&format!("interval: {span}"), "interval: 1s")
                    .replace(&format!("scrape_timeout: {span}"), "scrape_timeout: 1s")
            })
        };
        fs::create_dir(folder.path().join("rules")).unwrap();
        for name in ["local.yml", "rules/alerts.yml", "rules/figures.yml"] {
            let text = hasty(fs::read_to_string(watch.join(name)).unwrap());
            fs::write(folder.path().join(name), text).unwrap();
        }
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new("prometheus");
        command.current_dir(folder.path()).arg("--config.file=local.yml").arg("--storage.tsdb.path=data");
        command.arg(format!("--web.listen-address={address}"));
        let process = Process::start("prometheus", command);
        process.line(&["Server is ready to receive web requests"]).await;
        Self { api: Api::new(format!("http://{address}")), process, _folder: folder }
    }

    async fn ask(&self, path: &str) -> Value {
        let (status, answer) = self.api.ask(self.api.request(Method::GET, &format!("api/v1/{path}"))).await;
        assert!(status.is_success() && answer["status"] == "success", "{path}: {status} {answer}");
        answer["data"].clone()
    }

    /// Once each was evaluated, without an error.
    pub async fn rules(&self) -> Vec<Rule> {
        until("all rules to be evaluated", async || {
            let data = self.ask("rules").await;
            let groups = data["groups"].as_array().unwrap().iter();
            let rules: Vec<&Value> = groups.flat_map(|group| group["rules"].as_array().unwrap()).collect();
            let failed: Vec<_> = rules.iter().filter(|rule| rule["health"] == "err").collect();
            assert!(failed.is_empty(), "{failed:?}");
            let rule = |rule: &&Value| Rule {
                recorded: (rule["type"] == "recording").then(|| rule["name"].as_str().unwrap().to_owned()),
                query: rule["query"].as_str().unwrap().to_owned(),
            };
            rules.iter().all(|rule| rule["health"] == "ok").then(|| rules.iter().map(rule).collect())
        })
        .await
    }

    /// The labels of what a query answers, once it answers something.
    pub async fn data(&self, what: &str, query: &str) -> BTreeSet<String> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        until(&format!("data of {what}: {query}"), async || {
            let data = self.ask(&format!("query?query={encoded}")).await;
            let results = data["result"].as_array().unwrap();
            let labels = results.iter().flat_map(|result| result["metric"].as_object().unwrap().keys());
            (!results.is_empty()).then(|| labels.cloned().collect())
        })
        .await
    }

    pub async fn stop(mut self) {
        self.process.stop().await;
    }
}
