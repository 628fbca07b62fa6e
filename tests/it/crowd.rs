//! More than a door should have to bear: connections that ask for nothing, and batches as long as may be.

use futures::future::join_all;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Settings, System, in_time, signal, task, until};

#[tokio::test]
async fn idle_connections_shut_no_client_out_and_cost_no_worker() {
    const FILES: usize = 256;
    let system = System::embedded_with_files(FILES, 2, Settings::quick()).await;
    let before = system.api.workers().await;
    let address = system.api.url.strip_prefix("http://").unwrap();
    let mut idle = Vec::new();
    for number in 0..FILES + 100 {
        let connecting =
            tokio::time::timeout(std::time::Duration::from_secs(1), TcpStream::connect(address)).await;
        let Ok(Ok(mut stream)) = connecting else { continue };
        if number % 2 == 0 {
            // The server may have closed it already.
            let _ = stream.write_all(b"GET /health HTTP/1.1\r\nX-Slow: ").await;
        }
        idle.push(stream);
    }
    let victim = before[0].beat.worker;
    signal(before[0].beat.pid, "KILL");
    until("another worker in its place", async || {
        let workers = system.api.workers().await;
        let alive = workers.iter().filter(|worker| worker.alive && worker.beat.worker != victim).count();
        (alive >= 2).then_some(())
    })
    .await;
    assert!(!system.front.said("CP-1603") && !system.front.said("CP-1604"), "a full table is no bad program");
    let id = system.api.enqueue(task("P1", json!({}))).await;
    system.api.finished(id).await;
    for stream in &mut idle {
        // Closed, politely or not.
        let _ = in_time("an idle connection's end", stream.read(&mut [0])).await;
    }
    system.stop().await;
}

/// What the process has taken at most, and what it takes now, in MiB.
#[cfg(target_os = "linux")]
fn memory(pid: u32) -> [u64; 2] {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    ["VmHWM:", "VmRSS:"].map(|name| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
    })
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn batches_of_50_mb_take_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::apart(0, Settings::quick().with(&data_in(&folder))).await;
    let batch = vec![task("P4", json!({ "text": "x".repeat(250_000) })); 200];
    for (content_type, body) in [
        ("application/json", serde_json::to_vec(&batch).unwrap()),
        ("application/msgpack", rmp_serde::to_vec_named(&batch).unwrap()),
    ] {
        let [_, before] = memory(system.front.pid());
        join_all([0; 4].map(|_| taken(&system, content_type, &body))).await;
        let [most, after] = memory(system.front.pid());
        println!("{content_type}: 4 times 50 MB of tasks, from {before} to {after} MiB, {most} at most");
        assert!(most < before + 300, "{most} MiB after {before}");
    }
    system.stop().await;
}

/// Sends a batch until there was room for it.
#[cfg(target_os = "linux")]
async fn taken(system: &System, content_type: &str, body: &[u8]) {
    until("a batch to be taken", async || {
        let request = system.api.request(Method::POST, "v1/tasks").header(header::CONTENT_TYPE, content_type);
        // Refused before it was sent to its end: some clients see no more than that.
        let response = request.body(body.to_vec()).send().await.ok()?;
        let status = response.status();
        let lines: Value = response.json().await.unwrap();
        let all = lines.as_array().is_some_and(|lines| lines.iter().all(|line| line["id"].is_string()));
        assert!(all || status == StatusCode::SERVICE_UNAVAILABLE, "{status}: {lines}");
        all.then_some(())
    })
    .await;
}

#[cfg(target_os = "linux")]
fn data_in(folder: &tempfile::TempDir) -> String {
    format!("embedded.data = {}", toml::Value::from(folder.path().display().to_string()))
}
