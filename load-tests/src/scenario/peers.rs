//! Other task queues beside Clawpool, on the same servers, with the same tasks. `peers/run` has each of them
//! do one thing.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tokio::process::Command;

use super::{Plan, ceiling, drain, enqueue, flow, recovery};
use crate::{
    goal::{Goal, Target},
    lane::Lane,
    rounds::{Contestant, Figure},
    site::{Site, Size},
};

pub const ABOUT: &str = "Other task queues at their best documented settings (`load-tests/peers`) and \
    Clawpool, on the same servers, with the same tasks: enqueue, in bulk where a peer can; drain by one \
    worker process, for a peer from its first start to its last, for Clawpool from its first outcome to its \
    last; latency of single tasks, 50 a second, from enqueue to start; time to the next start of a killed \
    worker's task, with every setting at its default (one round, up to 90 s, then inf). Peers do not ask \
    RabbitMQ for confirms, and some answer for a task before it is on disk or acknowledge it before it ran.";

const RUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/run");
/// Seconds that a killed worker's task may take to start again.
const CAP: usize = 90;

/// Each with as many tasks as take some seconds; apalis-redis with fewer, for its worker ends with an error
/// when more than some 8,000 wait: a script of its own moves all of them with one command.
const PEERS: [(&str, usize); 8] = [
    ("bullmq", 40_000),
    ("dramatiq-rabbitmq", 20_000),
    ("dramatiq-redis", 10_000),
    ("celery-rabbitmq", 6000),
    ("celery-redis", 6000),
    ("taskiq", 6000),
    ("rq", 2000),
    ("apalis-redis", 5_000),
];

pub fn plan(site: &Site) -> Plan {
    let mut plan = Plan { contestants: ceiling::ceilings(), goals: goals() };
    clawpool(&mut plan, site);
    let Some(folder) = &site.peers else { return plan };
    for (peer, tasks) in PEERS {
        let tasks = site.count(tasks);
        let mut calls = vec![("enqueue", tasks), ("drain", tasks), ("latency", site.count(500))];
        if site.size == Size::Full {
            calls.push(("recover", CAP));
        }
        for (command, number) in calls {
            let folder = folder.clone();
            let call = move |site| ask(site, folder.clone(), peer, command, number);
            let contestant = Contestant::new(format!("peer {peer}: {command}"), call);
            plan.contestants.push(if command == "recover" { contestant.once() } else { contestant });
        }
    }
    plan
}

fn goals() -> Vec<Goal> {
    let least =
        |of: &str, peer: &str, target| Goal::ratio(of, format!("peer {peer}"), Target::AtLeast(target));
    vec![
        least("drain critical, 1 worker: rate", "bullmq: drain", 8.0),
        least("drain normal, 1 worker: rate", "dramatiq-rabbitmq: drain", 8.0),
        least("library batch, critical", "bullmq: enqueue", 5.0),
        least("HTTP single, normal", "celery-rabbitmq: enqueue", 4.0),
        least("HTTP single, critical", "celery-redis: enqueue", 4.0),
    ]
}

fn clawpool(plan: &mut Plan, site: &Site) {
    for lane in [Lane::Critical, Lane::Normal] {
        let mut join = |contestant: Contestant| plan.contestants.push(contestant);
        join(enqueue::batch(lane));
        join(enqueue::http_single(lane));
        join(drain::one_worker(lane));
        join(Contestant::new(format!("latency, {lane}"), move |site| flow::single(site, lane)));
        if site.size == Size::Full {
            join(recovery::killed(lane).once());
        }
    }
}

/// What `peers/run` prints.
#[derive(Debug, Deserialize)]
struct Answer {
    peer: String,
    command: String,
    tasks: usize,
    /// None: not within its time.
    seconds: Option<f64>,
    p99: Option<f64>,
}

impl Answer {
    fn read(output: &str) -> Result<Self> {
        let line = output.lines().last().context("peers/run printed nothing")?;
        serde_json::from_str(line).with_context(|| format!("peers/run printed {line:?}"))
    }

    fn figures(&self) -> Vec<Figure> {
        let name = |what: &str| format!("peer {}: {what}", self.peer);
        let milliseconds = |seconds: f64| seconds * 1e3;
        let seconds = self.seconds.unwrap_or(f64::INFINITY);
        match self.command.as_str() {
            "latency" => vec![
                Figure::new(name("latency p50"), "ms", milliseconds(seconds)),
                Figure::new(name("latency p99"), "ms", milliseconds(self.p99.unwrap_or(f64::NAN))),
            ],
            "recover" => vec![Figure::new(name("recover"), "s", seconds)],
            command => vec![Figure::new(name(command), "tasks/s", self.tasks as f64 / seconds.max(1e-9))],
        }
    }
}

async fn ask(site: Site, folder: PathBuf, peer: &str, command: &str, number: usize) -> Result<Vec<Figure>> {
    let mut run = Command::new(RUN);
    run.args([peer, command, &number.to_string()])
        .env("PEERS_FOLDER", folder)
        .env("PEER_REDIS", &site.servers.redis);
    run.env("PEER_RABBITMQ", &site.servers.rabbitmq).stdin(Stdio::null()).kill_on_drop(true);
    let output = run.output().await.with_context(|| format!("{RUN} cannot be started: it needs python3"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        eprintln!("{said}");
        bail!("{}", said.lines().last().unwrap_or("it failed and said nothing"));
    }
    Ok(Answer::read(&String::from_utf8(output.stdout)?)?.figures())
}

/// That they are installed.
pub fn installed(folder: &Path) -> Result<()> {
    for part in ["venv/bin/python", "node/node_modules/bullmq", "apalis/release/clawpool-peer-apalis"] {
        let part = folder.join(part);
        let folder = folder.display();
        ensure!(
            part.exists(),
            "the peers are not installed: {} is missing; run `load-tests/peers/install {folder}` (needs \
             python3, npm and cargo), or name the scenarios to run without `peers`",
            part.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::Series;

    fn figures(line: &str) -> Result<Vec<(String, &'static str, f64)>> {
        let figures = Answer::read(line)?.figures();
        Ok(figures.into_iter().map(|Figure { name, unit, value }| (name, unit, value)).collect())
    }

    #[test]
    fn what_a_peer_prints_becomes_figures() -> Result<()> {
        let line = r#"{"peer": "bullmq", "command": "drain", "tasks": 4000, "seconds": 2.0}"#;
        assert_eq!(figures(line)?, [("peer bullmq: drain".into(), "tasks/s", 2000.0)]);
        let line = r#"{"peer": "rq", "command": "latency", "tasks": 20, "seconds": 0.002, "p99": 0.004}"#;
        let both = [("peer rq: latency p50".into(), "ms", 2.0), ("peer rq: latency p99".into(), "ms", 4.0)];
        assert_eq!(figures(line)?, both);
        let line = r#"{"peer": "celery-redis", "command": "recover", "tasks": 90, "seconds": null}"#;
        assert_eq!(figures(line)?, [("peer celery-redis: recover".into(), "s", f64::INFINITY)]);
        assert!(Answer::read("").is_err() && Answer::read("Traceback").is_err());
        Ok(())
    }

    #[test]
    fn the_targets_are_ratios_to_peers_that_run() {
        let series = |name: &str, value| Series { name: name.into(), unit: "tasks/s", values: vec![value] };
        let mine = |name: &&Goal| series(&name.of, 80_000.0);
        let goals = goals();
        let mut all: Vec<Series> = goals.iter().map(|goal| mine(&goal)).collect();
        all.extend(PEERS.iter().flat_map(|(peer, _)| {
            ["enqueue", "drain"].map(|command| series(&format!("peer {peer}: {command}"), 10_000.0))
        }));
        let judged: Vec<_> = goals.iter().filter_map(|goal| goal.judge(&all)).collect();
        assert_eq!(judged.len(), goals.len(), "a target speaks of a contestant that does not run");
        assert!(judged.iter().all(|judged| judged.value == 8.0 && judged.met));
    }
}
