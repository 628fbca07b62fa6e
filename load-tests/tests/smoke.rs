//! Each scenario runs to its end on real servers, with tiny numbers. The figures mean nothing here; that
//! there are some does.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::Command;

use serde_json::Value;

fn figures(scenario: &str) -> Vec<Value> {
    let folder = tempfile::TempDir::with_prefix("clawpool-smoke-").unwrap();
    let file = folder.path().join("figures.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_clawpool-load"));
    let output = command.args([scenario, "--smoke", "--slots", "8", "--json"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{scenario}: {}", String::from_utf8_lossy(&output.stderr));
    let reports: Vec<Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let [report] = reports.as_slice() else { panic!("{} reports of one scenario", reports.len()) };
    let figures = report["figures"].as_array().unwrap();
    let rates = figures.iter().filter(|figure| figure["unit"] == "tasks/s");
    rates.for_each(|rate| assert!(rate["values"][0].as_f64().unwrap() > 0.0, "{rate}"));
    figures.clone()
}

fn named(figures: &[Value], start: &str) -> usize {
    figures.iter().filter(|figure| figure["name"].as_str().unwrap().starts_with(start)).count()
}

#[test]
fn ceilings_put_and_get() {
    assert_eq!(named(&figures("ceiling"), "ceiling "), 8);
}

#[test]
fn every_way_in_is_measured() {
    let figures = figures("enqueue");
    assert_eq!(named(&figures, "library "), 15);
    assert_eq!(named(&figures, "HTTP "), 6);
    assert_eq!(named(&figures, "AMQP ingress") + named(&figures, "CLI file"), 2);
}

#[test]
fn every_priority_flows() {
    let figures = figures("flow");
    assert_eq!(named(&figures, "30 %: P"), 21);
    assert_eq!(named(&figures, "90 %: P"), 21);
}

#[test]
fn urgent_tasks_run_beside_a_flood() {
    let figures = figures("isolation");
    for flood in ["no flood", "flood of no-op tasks", "flood of 50 ms tasks"] {
        assert_eq!(named(&figures, &format!("{flood}, first 3 s: P")), 6);
    }
}

#[test]
fn every_class_of_a_mixed_load_is_judged() {
    let figures = figures("mixed");
    for priority in 0..7 {
        assert_eq!(named(&figures, &format!("P{priority} ")), 5);
    }
}

#[test]
fn growth_is_measured() {
    let figures = figures("scale");
    for lane in ["critical", "normal", "embedded"] {
        assert!(named(&figures, &format!("{lane}, 60 waiting: ")) >= 4, "{lane}: {figures:?}");
    }
    assert!(named(&figures, "1 worker: ") >= 4 && named(&figures, "3 workers: ") >= 4);
    for profile in ["cluster", "embedded"] {
        assert_eq!(named(&figures, &format!("{profile}, 20 delayed: ")), 2);
        assert_eq!(named(&figures, &format!("{profile}, 20 dead: ")), 4);
    }
}

#[test]
fn clawpool_runs_beside_the_peers() {
    let figures = figures("peers");
    assert_eq!(named(&figures, "library batch, ") + named(&figures, "HTTP single, "), 4);
    assert_eq!(
        named(&figures, "drain critical, 1 worker: rate") + named(&figures, "drain normal, 1 worker: rate"),
        2
    );
    assert_eq!(named(&figures, "latency, "), 6);
}

#[test]
fn missing_peers_are_named_with_their_cure_before_anything_is_measured() {
    let folder = tempfile::TempDir::with_prefix("clawpool-smoke-").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_clawpool-load"));
    let output =
        command.args(["ceiling", "peers", "--quick", "--peers"]).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(said.contains(&format!("load-tests/peers/install {}", folder.path().display())), "{said}");
}

#[cfg(unix)]
#[test]
fn what_a_killed_worker_ran_is_not_lost() {
    let figures = figures("recovery");
    let lost: Vec<_> =
        figures.iter().filter(|figure| figure["name"].as_str().unwrap().ends_with("lost")).collect();
    assert_eq!(lost.len(), 5);
    lost.iter().for_each(|figure| assert_eq!(figure["values"][0], 0.0, "{figure}"));
}

#[test]
fn every_lane_is_drained() {
    let figures = figures("drain");
    for lane in ["critical", "high", "normal", "background", "embedded"] {
        assert!(named(&figures, &format!("drain {lane}, 1 worker: rate")) == 1, "{lane}: {figures:?}");
    }
}
