//! Who works: load, versions, what they run; who died of what; and the machines.

use std::collections::BTreeMap;

use askama::Template;
use clawpool_backends::store::{Page, Record, WorkerInfo};
use clawpool_core::{config::Scope, task::ProcessId};
use clawpool_engine::client::{
    lists::TasksView,
    view::{HostView, HostsView},
};
use futures::try_join;

use super::PAGE;
use crate::{
    dashboard::{
        layout::Layout,
        register::Shown,
        visit::Visit,
        words::{self, When, cut},
    },
    supervise::CrashReport,
};

#[derive(Template)]
#[template(path = "workers.html")]
struct Workers {
    layout: Layout,
    workers: Vec<Worker>,
    others: usize,
    hosts: Vec<Host>,
    crashes: Vec<Crash>,
    shows_tasks: bool,
    may_operate: bool,
}

struct Worker {
    id: String,
    pool: String,
    host: String,
    pid: u32,
    version: String,
    started: When,
    heard: When,
    slots: u32,
    running: u32,
    /// In a hundred, for the bar.
    busy: u32,
    load: String,
    memory: String,
    done: String,
    queues: String,
    state: &'static str,
    class: &'static str,
    is_draining: bool,
    tasks: Vec<(String, String, String)>,
}

struct Host {
    name: String,
    workers: u64,
    busy: String,
    cpu: String,
    memory: String,
    disk: String,
    versions: String,
}

struct Crash {
    at: When,
    worker: String,
    pool: String,
    cause: String,
    severity: String,
    exit: String,
    lived: String,
    tasks: Vec<(String, String)>,
    log: Vec<String>,
}

/// Workers of one page; a pool of more has the command.
const MOST: usize = 200;

pub(crate) async fn show(visit: &Visit) -> Shown {
    // Among many that wait they have to be looked for: only who asks for them has that done.
    let shows_tasks = visit.query.is_set("running");
    let running = format!("/v1/tasks?state=running&limit={PAGE}");
    let (workers, hosts, crashes, running) = try_join!(
        visit.get::<Page<WorkerInfo>>("/v1/workers"),
        visit.get::<HostsView>("/v1/hosts"),
        visit.get::<Page<CrashReport>>("/v1/workers/crashes?limit=10"),
        visit.get_if::<TasksView>(shows_tasks, &running),
    )?;
    let mut tasks: BTreeMap<ProcessId, Vec<&Record>> = BTreeMap::new();
    for record in running.iter().flat_map(|found| &found.items) {
        if let Some(worker) = record.worker {
            tasks.entry(worker).or_default().push(record);
        }
    }
    let page = Workers {
        layout: visit.layout("Workers"),
        others: workers.items.len().saturating_sub(MOST),
        workers: workers.items.iter().take(MOST).map(|worker| row(worker, &tasks)).collect(),
        hosts: hosts.items.iter().map(host).collect(),
        crashes: crashes.items.into_iter().map(crash).collect(),
        shows_tasks,
        may_operate: visit.may(Scope::Operate),
    };
    visit.answer(&page)
}

fn row(worker: &WorkerInfo, tasks: &BTreeMap<ProcessId, Vec<&Record>>) -> Worker {
    let beat = &worker.beat;
    let running: u32 = beat.running.iter().sum();
    let (state, class) = match worker {
        worker if !worker.alive => ("silent", "bad"),
        worker if worker.beat.draining => ("draining", "warn"),
        _ => ("alive", "good"),
    };
    let queues: Vec<String> = match &beat.serves {
        Some(patterns) => patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
        None => beat.queues.iter().map(|queue| queue.name().to_owned()).collect(),
    };
    let own = tasks.get(&beat.worker).into_iter().flatten();
    let mean = beat.done.run.checked_div(u32::try_from(beat.done.tasks).unwrap_or(u32::MAX));
    Worker {
        id: beat.worker.to_string(),
        pool: beat.pool.clone(),
        host: beat.host.clone(),
        pid: beat.pid,
        version: beat.version.clone().unwrap_or_default(),
        started: When(beat.started_at),
        heard: When(worker.last_beat),
        slots: beat.slots,
        running,
        busy: (running * 100).div_ceil(beat.slots.max(1)).min(100),
        load: beat.usage.map(|usage| format!("{:.0} %", usage.cpu)).unwrap_or_default(),
        memory: beat.usage.map(|usage| words::bytes(usage.memory)).unwrap_or_default(),
        done: match mean {
            Some(mean) => format!("{}, {} each", words::count(beat.done.tasks), words::span(mean)),
            None => words::count(beat.done.tasks),
        },
        queues: queues.join(", "),
        state,
        class,
        is_draining: beat.draining,
        tasks: own.map(|task| (task.id.to_string(), words::end(task.id), task.kind.clone())).collect(),
    }
}

fn host(view: &HostView) -> Host {
    let machine = view.machine.as_ref();
    let of = |used: u64, all: u64| format!("{} of {}", words::bytes(used), words::bytes(all));
    let cpu = machine.and_then(|machine| Some((machine.cpu_ratio?, machine.cpus)));
    let disk = machine.and_then(|machine| machine.disk);
    Host {
        name: view.host.clone(),
        workers: view.workers,
        busy: format!("{} of {}", words::count(view.running), words::count(view.slots)),
        cpu: cpu.map(|(ratio, cpus)| format!("{} of {cpus}", words::percent(ratio))).unwrap_or_default(),
        memory: machine
            .map(|machine| of(machine.memory_used_bytes, machine.memory_bytes))
            .unwrap_or_default(),
        disk: disk.map(|disk| of(disk.used_bytes, disk.bytes)).unwrap_or_default(),
        versions: view.versions.join(", "),
    }
}

fn crash(report: CrashReport) -> Crash {
    Crash {
        at: When(report.at),
        worker: report.worker.to_string(),
        pool: report.pool,
        cause: words::word(&report.cause),
        severity: words::word(&report.severity),
        exit: cut(&report.exit, 500),
        lived: words::span(report.lived),
        tasks: report.tasks.iter().take(PAGE).map(|id| (id.to_string(), words::end(*id))).collect(),
        log: report.log.iter().map(|line| cut(line, 2_000)).collect(),
    }
}
